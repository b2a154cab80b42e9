//! TOML text -> a valid [`Pipeline`]: units, secrets, every problem at once and with its place. Opens
//! no network, starts no connector; whether a connector takes its table is asked with its schema,
//! through [`Endpoint::check`].
//!
//! The keys, their units and defaults are in `pipelines/README.md`, which a test holds against this
//! crate. Only this crate reads TOML.

// In the order in which a file becomes a pipeline.
mod depth;
mod document;
mod environment;
mod tree;

mod reference;
mod secret;

mod digest;
mod hours;
mod item;
mod keys;
mod kind;
mod oci;
mod section;
pub mod units;

mod address;
mod declared;
mod endpoint;
mod engine_file;
mod lock;
mod pipeline;
mod selection;
mod trial;

mod conformity;
mod schema;

mod editor;
mod problem;

pub use address::{Address, parse_address};
pub use declared::{Agent as DeclaredAgent, Declared, Entry, Task as DeclaredTask};
pub use digest::Digest;
pub use editor::{ConnectorSchemas, pipeline_schema};
pub use endpoint::{Config, Endpoint, Grant, Role};
pub use engine_file::{EngineFile, parse_engine};
pub use environment::{Environment, MAX_SECRET_FILE_BYTES, ProcessEnvironment};
pub use hours::{Hours, format_period};
pub use kind::parse_name;
pub use lock::{Lock, Locked};
pub use oci::Reference;
pub use pipeline::{ConnectorLimits, MAX_TRANSFORMS, Pipeline, Report, TunnelRef, parse};
pub use problem::{Invalid, MAX_PROBLEMS, Problem, Problems};
pub use secret::Secret;
pub use tree::MAX_FILE_BYTES;
pub use trial::{Trial, parse_trial};
