//! The S3 connector against a real server with authentication on: what arrives, what's said when
//! it can't, how much goes over the wire.

mod conditions;
mod copies;
mod credentials;
mod errors;
mod identity;
mod keys;
mod listing;
mod recovery;
mod wire;
