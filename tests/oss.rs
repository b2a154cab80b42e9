//! The OSS connector against the tests' own OSS server, which the official SDKs hold to account: what
//! arrives, what's said when it can't, how much goes over the wire. What buckets have in common is
//! tested by the same code as S3's.

mod account;
mod addresses;
mod buckets;
mod credentials;
mod errors;
mod faults;
mod live;
mod objects;
mod to_oss;
