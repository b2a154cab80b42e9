//! The S3 connector against a real server with authentication on: what arrives, what's said when
//! it can't, how much goes over the wire.

pub(crate) mod errors;
pub(crate) mod identity;
pub(crate) mod listing;
pub(crate) mod recovery;
mod rounds;
pub(crate) mod wire;
