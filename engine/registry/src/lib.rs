//! Connectors in OCI registries: pushed, pulled, kept by digest. Runs none and reads no pipeline; what
//! arrives is held against its digest and its limits before anybody gets to see it.

// In the order of a pull.
mod credentials;
mod error;
mod transport;

mod artifact;
mod cache;
mod registry;

pub use artifact::digest;
pub use cache::Cache;
pub use error::{Error, Kind};
pub use registry::{Description, Pulled, Registry, Terms};
pub use transport::provide_tls;
