//! From a pipeline file to a run that can start: connectors loaded, their tables checked, their
//! grants derived, the tunnel found. Moves nothing.

pub(crate) mod reach;
mod transforms;
pub(crate) mod trial;

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use culvert_flow::{
    journal::Identity,
    rules::Limits as TunnelLimits,
    transform::{Passage, Transformed},
    tunnel::{Tunnel, lease::Keeper},
};
use culvert_host::{
    access::Access,
    endpoint::{Endpoint, SinkEndpoint, SourceEndpoint},
    grants::{FolderGrant, Grants, SocketGrant},
    http::Bind,
    limits::Limits,
    loader::Connector,
    requests::Requests,
    runtime::Runtime,
    transform::TransformEndpoint,
};
use culvert_manifest::{ConnectorLimits, Endpoint as Table, Grant, Pipeline, Problems, Role, TunnelRef, parse};

use self::transforms::Transforms;
use crate::{
    args::{Places, agent::Network as AgentNetwork},
    connectors::{self, Asked, pinned::Pins},
    exit::Failure,
    folders,
    inventory::addresses::Surroundings,
    metrics::Labels,
    network::Network,
    server::Server,
    shared::{SharedTunnel, Stand},
};

/// A pipeline with everything that it names.
pub(crate) struct Assembly {
    pub(crate) pipeline: Pipeline,
    pub(crate) tunnel_limits: TunnelLimits,
    /// The one that all rounds, and both ends' requests, go through.
    pub(crate) tunnel: Tunnel,
    /// With whom it's shared; none: with nobody.
    shared: Option<SharedTunnel>,
    /// Where this pipeline's journal and reports are.
    pub(crate) state: PathBuf,
    source: End,
    sink: End,
    transforms: Transforms,
    /// The mark on what it leaves unfinished.
    pub(crate) owner: String,
    /// Reads reports, where they are to be put at the sink.
    reports: Option<Connector>,
}

/// One end, before anything is opened.
struct End {
    connector: Connector,
    /// The endpoint's table as JSON: secrets in clear.
    config: String,
    folder: Option<PathBuf>,
    server: Option<Server>,
    network: Network,
    /// What tells this store from others, without secrets.
    identity: String,
}

/// What an end is opened with beside its table.
struct Terms<'a> {
    tunnel: &'a Tunnel,
    tunnel_limits: TunnelLimits,
    workers: NonZeroUsize,
    limits: &'a ConnectorLimits,
    owner: &'a str,
}

/// The built-in connector for folders of this machine.
const LOCAL: &str = "local";
/// Length of a mark in hex digits.
const MARK_DIGITS: usize = 8;

/// The source as a run sees it.
pub(crate) type Route = Transformed<SourceEndpoint, TransformEndpoint>;

/// What is done about a sink's folder that isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingFolder {
    /// It's made: the run is about to fill it.
    Make,
    /// An empty one stands in for it: nothing will be written.
    StandIn,
}

/// Both ends, ready to be opened by workers.
pub(crate) struct Ends {
    /// Behind the transforms, if there are any.
    pub(crate) source: Route,
    pub(crate) sink: SinkEndpoint,
    /// Stands in for a sink's folder that isn't there, for as long as it's looked at.
    _stand_in: Option<tempfile::TempDir>,
    /// This process's lease of a shared tunnel.
    _keeper: Option<Keeper>,
}

/// Reads the file and everything that it names.
///
/// # Errors
/// All that is wrong with the file, or with what it names.
pub(crate) fn assemble(file: &Path, places: &Places) -> Result<Assembly, Failure> {
    assemble_as(file, places, None)
}

/// The same for a run as the agent of this name.
///
/// # Errors
/// There is no such agent, somebody else works as it, or it can't run this pipeline.
pub(crate) fn assemble_as(file: &Path, places: &Places, agent: Option<&str>) -> Result<Assembly, Failure> {
    let text = folders::read_text(file)
        .map_err(|error| Failure::usage(format!("can't read the pipeline {}: {error}", file.display())))?;
    let pipeline =
        parse(file, &text, &Surroundings::new(places)).map_err(|problems| Failure::usage(problems.render()))?;
    let (mut shared, mut stand) = (None, Stand::default());
    if let Some(name) = agent {
        let (tunnel, its_stand) = SharedTunnel::of_agent(name, &pipeline, places)?;
        (shared, stand) = (Some(tunnel), its_stand);
    } else if let TunnelRef::Named(name) = &pipeline.tunnel {
        shared = Some(SharedTunnel::find(name, &pipeline.name, places)?);
    }
    let tunnel_limits = match (&shared, &pipeline.tunnel) {
        (Some(shared), _) => shared.limits(),
        (None, TunnelRef::Inline(limits)) => *limits,
        (None, TunnelRef::Named(_)) => TunnelLimits::default(),
    };
    let runtime = runtime(places)?;
    let source = load(&runtime, (file, Pins::Beside(file), places), &pipeline.source, stand.network)?;
    let sink = load(&runtime, (file, Pins::Beside(file), places), &pipeline.sink, stand.network)?;
    let transforms = Transforms::load(&runtime, (file, places), &pipeline)?;
    let (mut source, mut sink, transforms) = match (source, sink, transforms) {
        (Ok(source), Ok(sink), Ok(transforms)) => (source, sink, transforms),
        (source, sink, transforms) => {
            let mut all = Problems::default();
            [source.err(), sink.err(), transforms.err()].into_iter().flatten().for_each(|it| all.append(it));
            return Err(Failure::usage(all.render()));
        }
    };
    if let Some(bind) = stand.bind {
        [&mut source, &mut sink].into_iter().try_for_each(|end| end.start_from(&bind))?;
    }
    refuse_overlap(file, source.folder.as_deref(), sink.folder.as_deref())?;
    let state = folders::pipeline(places, &pipeline.name)?;
    let owner = mark(&state, "owner")?;
    let reports = pipeline.report.to_sink.then(|| connectors::built_in(&runtime, LOCAL)).transpose()?;
    let tunnel = if shared.is_some() { Tunnel::leased() } else { Tunnel::new(tunnel_limits) };
    Ok(Assembly { pipeline, tunnel_limits, tunnel, shared, state, source, sink, transforms, owner, reports })
}

/// The WebAssembly runtime with its compile cache in the state folder.
///
/// # Errors
/// There is no place for the cache.
pub(crate) fn runtime(places: &Places) -> Result<Runtime, Failure> {
    let cache = folders::state(places)?.join("components");
    Runtime::new(Some(&cache)).map_err(Failure::could_not_go_on)
}

/// A number that differs from run to run.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// What tells a folder's owner from others: drawn once, kept in a file of this name. A pipeline's is its
/// mark on what it leaves unfinished.
///
/// # Errors
/// The file can't be made or read.
pub(crate) fn mark(state: &Path, name: &str) -> Result<String, Failure> {
    let path = state.join(name);
    let failed =
        |error: std::io::Error| Failure::could_not_go_on(format!("the state file {}: {error}", path.display()));
    if !path.exists() {
        // Written whole or not at all, and the first of two processes wins.
        let mut fresh = tempfile::NamedTempFile::new_in(state).map_err(failed)?;
        let mark = format!("{:0width$x}", seed() >> 32, width = MARK_DIGITS);
        std::io::Write::write_all(&mut fresh, mark.as_bytes()).map_err(failed)?;
        match fresh.persist_noclobber(&path) {
            Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error.error)),
            _ => {}
        }
    }
    std::fs::read_to_string(&path).map_err(failed)
}

/// The outer error is about the connector, the inner one about the table. `network`: the agent's.
fn load(
    runtime: &Runtime,
    (file, pins, places): (&Path, Pins<'_>, &Places),
    table: &Table,
    network: Option<AgentNetwork>,
) -> Result<Result<End, Problems>, Failure> {
    let role = table.role.as_str();
    let located =
        |what: &dyn std::fmt::Display| Failure::usage(format!("{}: {role}.connector: {what}", file.display()));
    let connector = connectors::load(runtime, Asked::of(table, pins), places)
        .map_err(|failure| Failure { exit: failure.exit, ..located(&failure) })?;
    let description = connector.description();
    let schema = match table.role {
        Role::Source => &description.source_schema,
        Role::Sink => &description.sink_schema,
        Role::Transform => &description.transform_schema,
    };
    let Some(schema) = schema else {
        return Err(located(&format!("the connector {:?} can't be a {role}", description.name)));
    };
    let config = match table.check(schema) {
        Ok(config) => config,
        Err(problems) => return Ok(Err(problems)),
    };
    let (mut network, config) = Network::split(config.expose(), schema, network)
        .map_err(|it| Failure::usage(format!("{}: {role}.{it}", file.display())))?;
    let (mut folder, mut server) = (None, None);
    for grant in table.grants(schema) {
        match grant {
            Grant::Folder(path) if folder.is_none() => folder = Some(path),
            Grant::Folder(_) => return Err(located(&"it asks for two folders; one can be granted")),
            Grant::Socket(url) if server.is_none() => server = Some(Server::parse(&url).map_err(|it| located(&it))?),
            Grant::Socket(_) => return Err(located(&"it asks for two servers; one can be granted")),
            Grant::Endpoint(url) => network.grant(&url).map_err(|it| located(&it))?,
            Grant::Subdomain(label) => network.grant_below(label),
        }
    }
    let identity = table.identity(schema);
    Ok(Ok(End { connector, config, folder, server, network, identity }))
}

/// A run whose sink lies in its source would move what it has just written, for ever.
fn refuse_overlap(file: &Path, source: Option<&Path>, sink: Option<&Path>) -> Result<(), Failure> {
    let (Some(source), Some(sink)) = (source, sink) else { return Ok(()) };
    let real = |path: &Path| {
        let existing = nearest_existing(path);
        let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
        existing.canonicalize().map_or_else(|_| path.to_owned(), |existing| existing.join(rest))
    };
    if real(sink).starts_with(real(source)) {
        let (file, source, sink) = (file.display(), source.display(), sink.display());
        let message = format!("{file}: sink.path: {sink} lies in the source {source}; choose a folder outside of it");
        return Err(Failure::usage(message));
    }
    Ok(())
}

fn nearest_existing(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path)
}

// === impl End ===

impl End {
    /// Its connections start from the agent's address, unless the pipeline names another.
    fn start_from(&mut self, bind: &Bind) -> Result<(), Failure> {
        if self.server.is_some() {
            let connector = &self.connector.description().name;
            let message = format!(
                "the agent's connections start from an address of its own, which the connector {connector:?} can't do; \
                 take it away with `engine agent set --bind none`"
            );
            return Err(Failure::usage(message));
        }
        self.network.start_from(bind);
        Ok(())
    }

    /// With its grants. A sink's folder is writable.
    fn endpoint(&self, folder: Option<PathBuf>, writable: bool, terms: &Terms<'_>) -> Result<Endpoint, Failure> {
        let folder = folder.map(|path| FolderGrant { path, writable });
        let socket = self.server.as_ref().map(|server| SocketGrant {
            host: server.host.clone(),
            port: server.port,
            requests: Requests::of(terms.tunnel.clone()),
        });
        let access = self.network.access(terms.tunnel, terms.tunnel_limits, terms.workers);
        Ok(Endpoint {
            capabilities: self.network.capabilities(&self.connector.description().capabilities),
            connector: self.connector.clone(),
            grants: Grants { folder, endpoints: self.network.grants(), socket },
            limits: limits(terms.limits),
            access: access.map_err(Failure::usage)?,
            config: self.config.clone(),
            owner: terms.owner.to_owned(),
        })
    }
}

// === impl Assembly ===

impl Assembly {
    /// Both ends with their grants: a source reads its folder, a sink writes to its own. As long as
    /// they are there, a shared tunnel's lease is kept.
    ///
    /// # Errors
    /// The sink's folder can't be made, an end's way to the network can't be set up, or the tunnel's
    /// ledger can't be opened.
    pub(crate) fn ends(&self, missing: MissingFolder) -> Result<Ends, Failure> {
        let source = self.endpoint(&self.source, self.source.folder.clone(), false)?;
        let mut stand_in = None;
        let mut folder = self.sink.folder.clone();
        if let Some(path) = folder.as_deref().filter(|path| !path.exists()) {
            let failed =
                |error| Failure::could_not_go_on(format!("can't make the sink's folder {}: {error}", path.display()));
            match missing {
                MissingFolder::Make => std::fs::create_dir_all(path).map_err(failed)?,
                MissingFolder::StandIn => {
                    let empty = tempfile::tempdir().map_err(failed)?;
                    folder = Some(stand_in.insert(empty).path().to_owned());
                }
            }
        }
        let sink = self.endpoint(&self.sink, folder, true)?;
        let source = SourceEndpoint::new(source).map_err(Failure::usage)?;
        let sink = SinkEndpoint::new(sink).map_err(Failure::usage)?;
        // A store that copies by itself transforms nothing.
        let copies = self.pipeline.server_side_copy && self.transforms.is_empty();
        let sink = if copies { sink.copying_from(&source) } else { sink };
        let source = Route::new(source, self.transforms.endpoints(), self.passage());
        let _keeper = self.shared.as_ref().map(|shared| shared.keep(&self.tunnel)).transpose()?;
        Ok(Ends { source, sink, _stand_in: stand_in, _keeper })
    }

    fn passage(&self) -> Passage {
        Passage {
            tunnel: self.tunnel.clone(),
            verify: self.pipeline.transfer.verify,
            max_object: self.pipeline.limits.max_object,
        }
    }

    /// A folder with reports as a source; none where they aren't to be put at the sink.
    ///
    /// # Errors
    /// The connector for folders can't be a source.
    pub(crate) fn reports(&self, folder: &Path) -> Result<Option<SourceEndpoint>, Failure> {
        let Some(connector) = &self.reports else { return Ok(None) };
        let endpoint = Endpoint {
            capabilities: connector.description().capabilities.clone(),
            connector: connector.clone(),
            grants: Grants {
                folder: Some(FolderGrant { path: folder.to_owned(), writable: false }),
                ..Grants::default()
            },
            access: Access::default(),
            limits: limits(&self.pipeline.limits),
            config: serde_json::json!({ "path": folder.to_string_lossy() }).to_string(),
            owner: self.owner.clone(),
        };
        SourceEndpoint::new(endpoint).map(Some).map_err(Failure::usage)
    }

    /// For what this pipeline's journal is written. `confined`: to a list of keys, which the next run
    /// may not have.
    pub(crate) fn identity(&self, confined: bool) -> Identity {
        let rules: Vec<_> = self.pipeline.selection.hits().into_iter().map(|hits| hits.rule).collect();
        let selection = if confined { format!("a list of keys, {:x}", seed()) } else { rules.join("\n") };
        // What arrives is the transforms' too.
        let sink = self.sink.identity.clone() + self.transforms.identity();
        Identity { source: self.source.identity.clone(), sink, selection }
    }

    /// What the figures of its runs are called by.
    pub(crate) fn labels<'a>(&'a self, agent: Option<&'a str>) -> Labels<'a> {
        Labels {
            pipeline: &self.pipeline.name,
            tunnel: self.shared.as_ref().map_or("", SharedTunnel::name),
            agent: agent.unwrap_or_default(),
            source: &self.pipeline.source.connector,
            sink: &self.pipeline.sink.connector,
        }
    }

    /// What the connectors call themselves, the source's and the sink's.
    pub(crate) fn names(&self) -> [&str; 2] {
        [&self.source, &self.sink].map(|end| end.connector.description().name.as_str())
    }

    /// Of the connectors' builds: the source's, the sink's, and the transforms'.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &str> {
        let ends = [self.source.connector.digest(), self.sink.connector.digest()];
        ends.into_iter().chain(self.transforms.digests())
    }

    /// Says whether a round is under way, where this process works as an agent.
    pub(crate) fn tell(&self, is_busy: bool) {
        if let Some(shared) = &self.shared {
            shared.tell(is_busy);
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.state.join(folders::JOURNAL)
    }

    /// The sink's folder, if it has one and that isn't there yet.
    pub(crate) fn missing_sink_folder(&self) -> Option<&Path> {
        self.sink.folder.as_deref().filter(|folder| !folder.exists())
    }

    fn endpoint(&self, end: &End, folder: Option<PathBuf>, writable: bool) -> Result<Endpoint, Failure> {
        let terms = Terms {
            tunnel: &self.tunnel,
            tunnel_limits: self.tunnel_limits,
            workers: self.pipeline.transfer.workers,
            limits: &self.pipeline.limits,
            owner: &self.owner,
        };
        end.endpoint(folder, writable, &terms)
    }
}

fn limits(limits: &ConnectorLimits) -> Limits {
    Limits {
        memory_bytes: usize::try_from(limits.memory.0).unwrap_or(usize::MAX),
        compute_timeout: limits.compute_timeout,
        call_timeout: limits.call_timeout,
        idle_timeout: limits.idle_timeout,
        listing_timeout: limits.listing_timeout,
    }
}
