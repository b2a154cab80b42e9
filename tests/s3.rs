//! The S3 connector against a real server with authentication on: what arrives, what's said when
//! it can't, how much goes over the wire.

mod conditions;
pub(crate) mod copies;
mod credentials;
pub(crate) mod errors;
pub(crate) mod identity;
mod keys;
pub(crate) mod listing;
mod network;
mod properties;
pub(crate) mod recovery;
mod rounds;
pub(crate) mod wire;
