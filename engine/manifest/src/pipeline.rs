//! A pipeline file as a value that can't be invalid. Opens nothing that the pipeline names: whether
//! a connector exists and takes its table is asked later, through [`Endpoint::check`].

use std::{num::NonZero, path::Path, time::Duration};

use culvert_flow::rules::{
    ByteSize, DeleteExtra, Limits, Overwrite, RequestRate, Schedule, Selection, Transfer, Verify,
};
use jiff::tz::TimeZone;

use crate::{
    address::parse_address,
    document::{Context, Document, Place},
    endpoint::{Endpoint, Role},
    environment::Environment,
    item,
    keys::{
        ADDRESS, LIMITS, REPORT, ROOT, SCHEDULE, SECTIONS, SELECT, SHA256, SINK, SOURCE, TRANSFER, TRANSFORM, TUNNEL,
    },
    kind::Kind,
    problem::{Invalid, Problems},
    reference,
    section::{self, Section, missing},
    selection,
    tree::{self, Node, Value, join},
};

/// What a pipeline file says.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// `[a-z0-9-]`, 1 to 64 bytes.
    pub name: String,
    pub tunnel: TunnelRef,
    pub source: Endpoint,
    pub sink: Endpoint,
    /// What objects go through in between, in this order; at most [`MAX_TRANSFORMS`].
    pub transforms: Vec<Endpoint>,
    /// Everything, by default.
    pub selection: Selection,
    /// By default: `if-different`, `checksum`, 8 workers, parts of 16 MiB, 5 attempts, 30 s.
    pub transfer: Transfer,
    /// Whether a store that has both ends copies by itself; true by default.
    pub server_side_copy: bool,
    /// Nothing is deleted, by default.
    pub delete_extra: Option<DeleteExtra>,
    /// One round at once, by default.
    pub schedule: Schedule,
    pub report: Report,
    pub limits: ConnectorLimits,
}

/// Most transforms of a pipeline: each is an instance of each worker, and nobody needs more than a few.
pub const MAX_TRANSFORMS: usize = 8;

/// Where the reports of a round go besides the state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// False by default.
    pub to_sink: bool,
    /// What their keys at the sink start with: `.culvert-reports/` by default.
    pub prefix: String,
    /// Whether SHA-256 is computed for it; false by default.
    pub sha256sums: bool,
}

/// The tunnel that everything of a pipeline goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TunnelRef {
    /// Shared with whoever names it too; `[a-z0-9-]`, 1 to 64 bytes.
    Named(String),
    /// This run's own.
    Inline(Limits),
}

/// What one instance of a connector may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectorLimits {
    /// Most memory of an instance: 256 MiB by default, 16 MiB to 4 GiB.
    pub memory: ByteSize,
    /// Longest it may compute without returning to the engine: 10 s by default.
    pub compute_timeout: Duration,
    /// Longest a call may take to answer: 60 s by default.
    pub call_timeout: Duration,
    /// Longest without a byte or an entry though one was asked for: 60 s by default.
    pub idle_timeout: Duration,
    /// Longest that listing the source may take in all: 24 h by default.
    pub listing_timeout: Duration,
    /// Most bytes that a transform may make of one object: 1 TiB by default, at least 1 MiB.
    pub max_object: ByteSize,
}

/// Reads a pipeline file. `path` is only shown in problems; `environment` gives the values of
/// `{ env = "..." }` and `{ file = "..." }` and the time that ages count back from.
///
/// # Errors
/// Everything that is wrong with the text, in the order of its lines. A text that isn't TOML yields
/// only that.
pub fn parse(path: &Path, text: &str, environment: &dyn Environment) -> Result<Pipeline, Problems> {
    let mut context = Context::new(Document::new(path, text), environment);
    let pipeline = tree::read(&mut context).and_then(|entries| {
        let mut root = Section::root(entries, ROOT, &SECTIONS, &mut context);
        pipeline(&mut root, &mut context)
    });
    context.problems.into_result()?;
    pipeline.ok_or_else(Problems::default)
}

fn pipeline(root: &mut Section, context: &mut Context<'_>) -> Option<Pipeline> {
    let name = name(root, context);
    let tunnel = tunnel(root, context);
    let source = endpoint(root, Role::Source, context);
    let sink = endpoint(root, Role::Sink, context);
    let transforms = transforms(root, context);
    let selection = selection::selection(section(root, SELECT, context), context);
    let mut table = section(root, TRANSFER, context);
    let server_side_copy = table.boolean("server_side_copy", context);
    let transfer = transfer(table, context);
    let schedule = schedule(section(root, SCHEDULE, context), context);
    let report = report(section(root, REPORT, context), context);
    let limits = limits(section(root, LIMITS, context), context);
    let (transfer, max_percent) = transfer?;
    let report = report?;
    // A report isn't extra.
    let keep: Vec<_> = report.to_sink.then(|| report.prefix.clone()).into_iter().collect();
    let delete_extra = max_percent.map(|max_percent| DeleteExtra { max_percent, keep });
    Some(Pipeline {
        name: name?,
        tunnel: tunnel?,
        source: source?,
        sink: sink?,
        transforms: transforms?,
        selection,
        transfer,
        server_side_copy: server_side_copy?,
        delete_extra,
        schedule,
        report,
        limits: limits?,
    })
}

pub(crate) fn section(root: &mut Section, name: &'static str, context: &mut Context<'_>) -> Section {
    match root.take(name) {
        Some(node) => Section::open(node, name, name, context),
        None => Section::absent(name),
    }
}

fn name(root: &mut Section, context: &mut Context<'_>) -> Option<String> {
    if !root.has("name") {
        missing("name", "\"nas-to-oss\", for instance", None, context);
    }
    root.word("name", context)
}

fn tunnel(root: &mut Section, context: &mut Context<'_>) -> Option<TunnelRef> {
    let Some(node) = root.take(TUNNEL) else {
        let place = Place { key: TUNNEL.to_owned(), ..Place::default() };
        let fix = "name one, as in tunnel = \"express-connect\", or write an empty [tunnel] table for no limits";
        context.report(place, Invalid::new("the pipeline has no tunnel", fix));
        return None;
    };
    let node = reference::resolve(node, TUNNEL, context);
    if let Value::Table(_) = node.value {
        let mut table = Section::open(node, TUNNEL, TUNNEL, context);
        return Some(TunnelRef::Inline(tunnel_limits(&mut table, context)));
    }
    if let Value::Text(_) | Value::Secret(_) = node.value {
        return section::word(&node, Kind::Name, TUNNEL, context).map(TunnelRef::Named);
    }
    if !matches!(node.value, Value::Broken) {
        let message = format!("expected a name or a table, found {}", node.value.type_name());
        let fix = "name a tunnel, as in tunnel = \"express-connect\", or write a [tunnel] table";
        let place = node.value_place(TUNNEL, &context.document);
        context.report(place, Invalid::new(message, fix));
    }
    None
}

/// The limits in a tunnel's table, in a pipeline or in `engine.toml`.
pub(crate) fn tunnel_limits(table: &mut Section, context: &mut Context<'_>) -> Limits {
    let requests = table.count("max_requests_per_second", context);
    Limits {
        max_bandwidth: table.rate("max_bandwidth", context),
        max_requests_per_second: requests.and_then(positive).map(RequestRate),
    }
}

pub(crate) fn endpoint(root: &mut Section, role: Role, context: &mut Context<'_>) -> Option<Endpoint> {
    let path = role.as_str();
    let Some(node) = root.take(path) else {
        let place = Place { key: path.to_owned(), ..Place::default() };
        let fix = format!("write [{path}] with connector = \"local\" and the connector's own keys, for instance");
        context.report(place, Invalid::new(format!("the pipeline has no {path}"), fix));
        return None;
    };
    if let Value::Table(entries) = &node.value
        && let Some(address) = entries.get(ADDRESS).filter(|_| !entries.contains_key("connector"))
    {
        if let Some(other) = entries.iter().find(|(key, _)| *key != ADDRESS) {
            let place = other.1.key_place(&join(path, other.0), &context.document);
            context.report(place, Invalid::new("the address has every key of this table", "remove it"));
        }
        let address = reference::resolve(address.clone(), &join(path, ADDRESS), context);
        return named(&address, role, context);
    }
    endpoint_of(node, role, path, context)
}

/// Without any, objects arrive as they are.
fn transforms(root: &mut Section, context: &mut Context<'_>) -> Option<Vec<Endpoint>> {
    let Some(node) = root.take(TRANSFORM) else { return Some(Vec::new()) };
    let place = node.key_place(TRANSFORM, &context.document);
    let items = match node.value {
        Value::List(items) if items.len() <= MAX_TRANSFORMS => items,
        Value::List(_) => {
            let fix = format!("write at most {MAX_TRANSFORMS}");
            context.report(place, Invalid::new("there are too many transforms", fix));
            return None;
        }
        Value::Broken => return None,
        other => {
            let message = format!("expected a list of tables, found {}", other.type_name());
            let fix = "write [[transform]] with two brackets, once for each transform, in their order";
            context.report(place, Invalid::new(message, fix));
            return None;
        }
    };
    let tables = items.into_iter().enumerate();
    let read: Vec<_> = tables
        .map(|(index, table)| endpoint_of(table, Role::Transform, &format!("{TRANSFORM}[{index}]"), context))
        .collect();
    read.into_iter().collect()
}

/// The end that an address stands for.
fn named(node: &Node, role: Role, context: &mut Context<'_>) -> Option<Endpoint> {
    let path = join(role.as_str(), ADDRESS);
    let name = section::word(node, Kind::Name, &path, context)?;
    let Some(text) = context.environment.address(&name, role) else {
        let role = role.as_str();
        let message = format!("there is no {role} address {name:?}");
        let fix = format!("make it with `engine address create {name} --role {role} FILE`");
        context.report(node.value_place(&path, &context.document), Invalid::new(message, fix));
        return None;
    };
    match parse_address(Path::new(&format!("address {name}")), &text, role, context.environment) {
        Ok(address) => Some(address.endpoint),
        Err(problems) => {
            context.problems.append(problems);
            None
        }
    }
}

/// The end of a table at `path` that has its connector in it.
pub(crate) fn endpoint_of(node: Node, role: Role, path: &str, context: &mut Context<'_>) -> Option<Endpoint> {
    let (name, example) = match role {
        Role::Source => (SOURCE, "\"local\", for instance"),
        Role::Sink => (SINK, "\"local\", for instance"),
        Role::Transform => (TRANSFORM, "\"zstd\", for instance"),
    };
    let header = Node { value: Value::Table([].into()), ..node.clone() };
    let is_table = matches!(node.value, Value::Table(_));
    let mut table = Section::open_with_own_keys(node, name, path, context);
    if !table.has("connector") && is_table {
        missing(&format!("{path}.connector"), example, Some(&header), context);
    }
    let connector = table.word("connector", context);
    let asks = table.has(SHA256);
    let sha256 = table.word(SHA256, context).and_then(|text| text.parse().ok());
    if asks && sha256.is_none() {
        return None;
    }
    let table = reference::resolve_entries(table.rest(), path, context);
    let table = Node { value: Value::Table(table), ..header };
    let (path, document) = (path.to_owned(), context.document.clone());
    Some(Endpoint { connector: connector?, sha256, role, path, table, document })
}

/// Without a schedule there is one round, at any time of the day.
fn schedule(mut table: Section, context: &mut Context<'_>) -> Schedule {
    let place = table.place("rounds", context);
    let schedule = Schedule {
        every: table.duration("every", context),
        rounds: table.count("rounds", context).and_then(positive),
        windows: table.list("window", context, item::window).into_iter().map(|window| window.value).collect(),
        timezone: table.time_zone("timezone", context).unwrap_or(TimeZone::UTC),
    };
    if let (None, Some(_), Some(place)) = (schedule.every, schedule.rounds, place) {
        let message = "without every, there is one round";
        context.report(place, Invalid::new(message, "write every = \"1h\", for instance, or leave rounds out"));
    }
    schedule
}

fn report(mut table: Section, context: &mut Context<'_>) -> Option<Report> {
    let (to_sink, prefix) = (table.boolean("to_sink", context), table.prefix("prefix", context));
    let sha256sums = table.boolean("sha256sums", context);
    Some(Report { to_sink: to_sink?, prefix: prefix?, sha256sums: sha256sums? })
}

/// With it, the most that may be deleted, in percent; none: nothing.
fn transfer(mut table: Section, context: &mut Context<'_>) -> Option<(Transfer, Option<u8>)> {
    // In the order of the words in `keys`.
    let overwrites = [Overwrite::Never, Overwrite::Always, Overwrite::IfNewer, Overwrite::IfDifferent];
    let verifies = [Verify::Checksum, Verify::Reread, Verify::Size];
    let overwrite = table.choice("overwrite", context);
    let verify = table.choice("verify", context);
    let workers = table.count("workers", context);
    let part_size = table.size("part_size", context);
    let attempts = table.count("attempts", context);
    let max_backoff = table.duration("max_backoff", context);
    let delete_extra = table.boolean("delete_extra", context);
    let max_percent = table.count("max_delete_percent", context);
    let max_percent = u8::try_from(max_percent?).ok()?;
    let transfer = Transfer {
        overwrite: *overwrites.get(overwrite?)?,
        verify: *verifies.get(verify?)?,
        workers: NonZero::new(usize::try_from(workers?).ok()?)?,
        part_size: part_size?,
        attempts: positive(attempts?)?,
        max_backoff: max_backoff?,
    };
    Some((transfer, delete_extra?.then_some(max_percent)))
}

pub(crate) fn limits(mut table: Section, context: &mut Context<'_>) -> Option<ConnectorLimits> {
    let memory = table.size("memory", context);
    let max_object = table.size("max_object", context);
    let [compute, call, idle, listing] = ["compute_timeout", "call_timeout", "idle_timeout", "listing_timeout"]
        .map(|name| table.duration(name, context));
    Some(ConnectorLimits {
        memory: memory?,
        compute_timeout: compute?,
        call_timeout: call?,
        idle_timeout: idle?,
        listing_timeout: listing?,
        max_object: max_object?,
    })
}

fn positive(number: u64) -> Option<NonZero<u32>> {
    NonZero::new(u32::try_from(number).ok()?)
}

// === impl ConnectorLimits ===

impl Default for ConnectorLimits {
    fn default() -> Self {
        Self {
            memory: ByteSize(256 << 20),
            compute_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            listing_timeout: Duration::from_secs(24 * 3600),
            max_object: ByteSize(1 << 40),
        }
    }
}
