//! From the file of `engine connector test` to a connector that the suite can try: the same tables,
//! grants and secrets as in a pipeline, without a tunnel's limits. Runs no case.

use std::{num::NonZeroUsize, path::Path};

use culvert_conformance::{Description, Owner, Subject};
use culvert_flow::{
    error::{Code, Error},
    object::Capabilities,
    rules::Limits as TunnelLimits,
    sink::OpenSink,
    source::OpenSource,
    tunnel::Tunnel,
};
use culvert_host::{
    endpoint::{SinkEndpoint, SourceEndpoint},
    loader::Connector,
};
use culvert_manifest::{ConnectorLimits, Endpoint as Table, Trial as File, parse_trial};

use super::{End, MARK_DIGITS, Terms, load, runtime};
use crate::{args::Places, connectors::pinned::Pins, exit::Failure, folders, inventory::addresses::Surroundings};

/// Instances that the suite has at the same time, at most.
const INSTANCES: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// A connector as it's tried.
pub(crate) struct Trial {
    description: Description,
    ends: Ends,
    /// The same sink for another pipeline.
    stranger: Option<SinkEndpoint>,
    denied: Option<Ends>,
}

/// What a file has of both.
struct Ends {
    source: Option<SourceEndpoint>,
    sink: Option<SinkEndpoint>,
}

/// A file's tables, checked.
struct Read {
    source: Option<End>,
    sink: Option<End>,
    limits: ConnectorLimits,
}

/// Reads the tables that a connector is tried with; `denied` are those with which nothing is allowed.
/// A sink's folder is made where it's missing.
///
/// # Errors
/// All that is wrong with the files, or with what they name.
pub(crate) fn assemble(
    connector: &str,
    file: &Path,
    denied: Option<&Path>,
    seed: u64,
    places: &Places,
) -> Result<Trial, Failure> {
    let [ours, theirs] = [seed, !seed].map(|seed| format!("{:0width$x}", seed >> 32, width = MARK_DIGITS));
    let read = read(connector, file, places)?;
    let ends = read.open(&ours)?;
    let stranger = read.open(&theirs)?.sink;
    let denied = denied.map(|file| self::read(connector, file, places)?.open(&ours)).transpose()?;
    let loaded = read.source.as_ref().or(read.sink.as_ref()).map(|end| &end.connector);
    let loaded = loaded.ok_or_else(|| Failure::usage("the file has neither a source nor a sink"))?;
    Ok(Trial { description: described(loaded), ends, stranger, denied })
}

fn read(connector: &str, file: &Path, places: &Places) -> Result<Read, Failure> {
    let text = folders::read_text(file)
        .map_err(|error| Failure::usage(format!("can't read the tables {}: {error}", file.display())))?;
    let File { source, sink, limits } = parse_trial(file, &text, connector, &Surroundings::new(places))
        .map_err(|problems| Failure::usage(problems.render()))?;
    let runtime = runtime(places)?;
    let load = |table: &Table| {
        let loaded = load(&runtime, (file, Pins::Now, places), table, None)?;
        loaded.map_err(|problems| Failure::usage(problems.render()))
    };
    let source = source.as_ref().map(load).transpose()?;
    let sink = sink.as_ref().map(load).transpose()?;
    Ok(Read { source, sink, limits })
}

fn described(connector: &Connector) -> Description {
    let it = connector.description();
    Description {
        name: it.name.clone(),
        version: it.version.clone(),
        digest: connector.digest().to_owned(),
        source_schema: it.source_schema.clone(),
        sink_schema: it.sink_schema.clone(),
        capabilities: it.capabilities.clone(),
    }
}

/// What a case asks for is there, or the case doesn't apply.
fn absent() -> Error {
    Error::new(Code::UNSUPPORTED, "open", "the file has no such end")
}

// === impl Read ===

impl Read {
    /// For a pipeline with this mark.
    fn open(&self, owner: &str) -> Result<Ends, Failure> {
        let tunnel_limits = TunnelLimits::default();
        let tunnel = Tunnel::new(tunnel_limits);
        let terms = Terms { tunnel: &tunnel, tunnel_limits, workers: INSTANCES, limits: &self.limits, owner };
        let source = self.source.as_ref().map(|end| {
            let endpoint = end.endpoint(end.folder.clone(), false, &terms)?;
            SourceEndpoint::new(endpoint).map_err(Failure::usage)
        });
        let sink = self.sink.as_ref().map(|end| {
            if let Some(folder) = &end.folder {
                std::fs::create_dir_all(folder).map_err(|error| {
                    Failure::could_not_go_on(format!("can't make the sink's folder {}: {error}", folder.display()))
                })?;
            }
            let endpoint = end.endpoint(end.folder.clone(), true, &terms)?;
            SinkEndpoint::new(endpoint).map_err(Failure::usage)
        });
        Ok(Ends { source: source.transpose()?, sink: sink.transpose()? })
    }
}

// === impl Ends ===

impl Ends {
    async fn check(&self) -> Vec<Result<(), Error>> {
        let mut checked = Vec::new();
        if let Some(source) = &self.source {
            checked.push(source.check().await);
        }
        if let Some(sink) = &self.sink {
            checked.push(sink.check().await);
        }
        checked
    }
}

// === impl Trial ===

impl Subject for Trial {
    type Source = <SourceEndpoint as OpenSource>::Source;
    type Sink = <SinkEndpoint as OpenSink>::Sink;

    fn description(&self) -> &Description {
        &self.description
    }

    fn source(&self) -> Option<&Capabilities> {
        self.ends.source.as_ref().map(OpenSource::capabilities)
    }

    fn sink(&self) -> Option<&Capabilities> {
        self.ends.sink.as_ref().map(OpenSink::capabilities)
    }

    fn has_denied(&self) -> bool {
        self.denied.is_some()
    }

    async fn open_source(&self) -> Result<Self::Source, Error> {
        self.ends.source.as_ref().ok_or_else(absent)?.open_source().await
    }

    async fn open_sink(&self, owner: Owner) -> Result<Self::Sink, Error> {
        let sink = if owner == Owner::Ours { &self.ends.sink } else { &self.stranger };
        sink.as_ref().ok_or_else(absent)?.open_sink().await
    }

    async fn open_read_back(&self) -> Result<Self::Source, Error> {
        self.ends.sink.as_ref().ok_or_else(absent)?.open_read_back().await
    }

    async fn check(&self) -> Result<(), Error> {
        self.ends.check().await.into_iter().collect()
    }

    async fn check_denied(&self) -> Vec<Result<(), Error>> {
        match &self.denied {
            Some(denied) => denied.check().await,
            None => Vec::new(),
        }
    }
}
