//! What's tested: a connector with its two ends as far as they are given. Opens nothing by itself.
#![allow(async_fn_in_trait, reason = "the suite and its instances live on one thread: no future needs Send")]

use culvert_flow::{error::Error, object::Capabilities, sink::Sink, source::Source};
use serde_json::Value;

/// What the connector says it is.
#[derive(Debug, Clone)]
pub struct Description {
    pub name: String,
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub digest: String,
    /// None if it can't be a source.
    pub source_schema: Option<Value>,
    /// None if it can't be a sink.
    pub sink_schema: Option<Value>,
    /// All that the connector has, whatever the tables deny.
    pub capabilities: Capabilities,
}

/// In whose name a sink's instance is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The suite's own mark.
    Ours,
    /// That of another pipeline.
    Stranger,
}

/// A connector with its tables. Every instance is a fresh one.
pub trait Subject {
    type Source: Source;
    type Sink: Sink;

    fn description(&self) -> &Description;

    /// What the source can do; none where there is no `[source]`.
    fn source(&self) -> Option<&Capabilities>;

    /// What the sink can do; none where there is no `[sink]`.
    fn sink(&self) -> Option<&Capabilities>;

    /// Whether there is a second configuration with which nobody may do anything.
    fn has_denied(&self) -> bool;

    /// # Errors
    /// It can't be started.
    async fn open_source(&self) -> Result<Self::Source, Error>;

    /// # Errors
    /// It can't be started.
    async fn open_sink(&self, owner: Owner) -> Result<Self::Sink, Error>;

    /// The sink as something to read; asked for only where it has the capability `read-back`.
    ///
    /// # Errors
    /// It can't be started.
    async fn open_read_back(&self) -> Result<Self::Source, Error>;

    /// The connector's own check of every end that there is.
    ///
    /// # Errors
    /// What's missing.
    async fn check(&self) -> Result<(), Error>;

    /// The same with the second configuration, end by end.
    async fn check_denied(&self) -> Vec<Result<(), Error>>;
}
