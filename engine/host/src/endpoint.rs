//! One end of a pipeline: a connector with its grants, limits and configuration, from which workers
//! open their instances. The configuration holds secrets and never shows.

use std::fmt;

use culvert_flow::{
    error::{Code, Error},
    object::Capabilities,
    sink::OpenSink,
    source::OpenSource,
};

use crate::{
    access::Access, bindings::exports::culvert::connector::connector::Role, convert, grants::Grants,
    instance::Instance, limits::Limits, loader::Connector, sink::HostSink, source::HostSource,
};

/// The source end of a pipeline.
#[derive(Debug)]
pub struct SourceEndpoint(Endpoint);

/// The sink end of a pipeline.
#[derive(Debug)]
pub struct SinkEndpoint {
    endpoint: Endpoint,
    copies_from: Option<SourceTable>,
}

/// The table of a source as JSON. Doesn't print: another connector's may hold a secret.
struct SourceTable(String);

/// The capability of a sink that copies inside its store.
const COPY: &str = "copy";

/// What both ends need.
pub struct Endpoint {
    pub connector: Connector,
    pub grants: Grants,
    pub limits: Limits,
    pub access: Access,
    /// What the connector says it can do, but for what the pipeline denies this store.
    pub capabilities: Capabilities,
    /// The endpoint's table as JSON, already checked against the connector's schema.
    pub config: String,
    /// 8 hex digits, the same for all runs of a pipeline: marks what a sink leaves unfinished.
    pub owner: String,
}

// === impl Endpoint ===

impl Endpoint {
    async fn open(&self, role: Role) -> Result<Instance, Error> {
        let refused = |reason: String| Error::new(Code::INVALID_CONFIG, "open", reason);
        let instance = self.connector.start(&self.grants, &self.limits, &self.access).await.map_err(refused)?;
        instance.serve(match role {
            Role::Source => "source",
            Role::Sink => "sink",
        });
        let (config, owner) = (self.config.clone(), self.owner.clone());
        let configured = instance.call("open", async move |accessor, exports| {
            exports.connector.call_configure(accessor, role, config, owner).await
        });
        configured.await?.map_err(|error| convert::error(error, "open"))?;
        Ok(instance)
    }

    async fn check(&self, role: Role) -> Result<(), Error> {
        let instance = self.open(role).await?;
        let checked = instance.call("check", async |accessor, exports| exports.connector.call_check(accessor).await);
        checked.await?.map_err(|error| convert::error(error, "check"))
    }
}

/// Everything but the configuration.
impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("connector", &self.connector.description().name)
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

// === impl SourceEndpoint ===

impl SourceEndpoint {
    /// # Errors
    /// The connector can't be a source.
    pub fn new(endpoint: Endpoint) -> Result<Self, Error> {
        if endpoint.connector.description().source_schema.is_none() {
            let name = &endpoint.connector.description().name;
            return Err(Error::new(Code::UNSUPPORTED, "open", format!("the connector {name} can't be a source")));
        }
        Ok(Self(endpoint))
    }

    /// Reaches the store and proves the permissions that a source needs. Needs a `LocalSet`.
    ///
    /// # Errors
    /// What's missing.
    pub async fn check(&self) -> Result<(), Error> {
        self.0.check(Role::Source).await
    }
}

impl OpenSource for SourceEndpoint {
    type Source = HostSource;

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn open_source(&self) -> Result<HostSource, Error> {
        Ok(HostSource::new(self.0.open(Role::Source).await?))
    }
}

// === impl SinkEndpoint ===

impl SinkEndpoint {
    /// # Errors
    /// The connector can't be a sink.
    pub fn new(endpoint: Endpoint) -> Result<Self, Error> {
        if endpoint.connector.description().sink_schema.is_none() {
            let name = &endpoint.connector.description().name;
            return Err(Error::new(Code::UNSUPPORTED, "open", format!("the connector {name} can't be a sink")));
        }
        Ok(Self { endpoint, copies_from: None })
    }

    /// Lets the store copy from a source of the same connector, if the connector finds that it can. What
    /// the source has below the sink's own endpoint the sink may then reach too, to look up what it copied.
    #[must_use]
    pub fn copying_from(mut self, source: &SourceEndpoint) -> Self {
        let (ours, theirs) = (&self.endpoint.connector, &source.0.connector);
        if ours.digest() == theirs.digest() && self.endpoint.capabilities.has(COPY) {
            self.endpoint.grants.extend_below(&source.0.grants);
            self.copies_from = Some(SourceTable(source.0.config.clone()));
        }
        self
    }

    /// Reaches the store and proves the permissions that a sink needs. Needs a `LocalSet`.
    ///
    /// # Errors
    /// What's missing.
    pub async fn check(&self) -> Result<(), Error> {
        self.endpoint.check(Role::Sink).await
    }
}

impl OpenSink for SinkEndpoint {
    type Sink = HostSink;
    type ReadBack = HostSource;

    fn capabilities(&self) -> &Capabilities {
        &self.endpoint.capabilities
    }

    /// A feed can always turn an extent into bytes; only a file makes more of it.
    fn takes_extents(&self) -> bool {
        self.endpoint.grants.folder.is_some()
    }

    async fn open_sink(&self) -> Result<HostSink, Error> {
        let copies_from = self.copies_from.as_ref().map(|table| table.0.clone());
        HostSink::new(self.endpoint.open(Role::Sink).await?, copies_from).await
    }

    async fn open_read_back(&self) -> Result<HostSource, Error> {
        Ok(HostSource::new(self.endpoint.open(Role::Sink).await?))
    }
}

// === impl SourceTable ===

impl fmt::Debug for SourceTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SourceTable")
    }
}
