//! The system ring: the real binary, real connectors, real file systems. One test program, so that
//! it's linked once; `tests/run` starts it. Mounts small file systems, so it runs as root.
#![allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]

mod harness;

mod conformance;
mod contract;
mod fleet;
mod ftp;
mod hostile;
mod http;
mod kit;
mod oss;
mod recovery;
mod registry;
mod s3;
mod samples;
mod scenarios;
mod throttle;
mod traces;
mod transform;
mod tunnel;
