//! Everything that knows wasmtime: loads connectors, grants them what their pipeline names, limits
//! them, carries the bytes past them. `flow` sees [`endpoint::SourceEndpoint`] and
//! [`endpoint::SinkEndpoint`] and never a store. Knows no TOML and decides nothing about what moves.

pub mod access;
mod bindings;
mod channel;
mod contract;
mod convert;
pub mod credentials;
pub mod endpoint;
mod files;
pub mod grants;
pub mod http;
mod instance;
pub mod limits;
pub mod loader;
mod open;
mod path;
mod pool;
mod posix;
mod progress;
pub mod requests;
pub mod runtime;
mod sink;
mod sockets;
mod source;
mod state;
pub mod transform;
mod turn;
