//! Files that say what a state folder has: tunnels, agents, named sources and sinks, tasks. Each stays
//! with its place, so that whoever knows what is there already can say what's wrong with it. Knows
//! no state folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use culvert_flow::tunnel::lease::Definition;

use crate::{
    address::{Address, address_of},
    document::{Context, Document, Place},
    endpoint::Role,
    engine_file::{definition, tables},
    environment::Environment,
    keys::{AGENTS, AGENTS_ENTRY, SINKS, SOURCES, TASKS, TASKS_ENTRY, TUNNELS},
    problem::{Invalid, Problem, Problems},
    section::{Section, missing},
    tree::{self, Node, Value, join},
};

/// Keys whose values can't be secret, and that others may find something wrong with.
const TOLD: [&str; 5] = ["tunnel", "agent", "bind", "connector", "file"];

/// What some files declare together, by name.
#[derive(Debug, Default)]
pub struct Declared {
    pub tunnels: BTreeMap<String, Entry<Definition>>,
    pub agents: BTreeMap<String, Entry<Agent>>,
    /// Sources and sinks.
    pub addresses: BTreeMap<String, Entry<Address>>,
    pub tasks: BTreeMap<String, Entry<Task>>,
    /// Agents, those that couldn't be taken included.
    agent_names: BTreeSet<String>,
}

/// One of them, and where it stands.
#[derive(Debug)]
pub struct Entry<T> {
    pub value: T,
    origin: Origin,
}

/// `[agents.<name>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub tunnel: String,
    /// `vpc`; otherwise `public`.
    pub is_in_vpc: bool,
    /// An address or an interface, as it's written.
    pub bind: Option<String>,
    /// In its tunnel's shares: 1 by default.
    pub weight: NonZeroU32,
}

/// `[tasks.<name>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The pipeline's; a relative one counts from the folder of the file that declares it.
    pub file: PathBuf,
    pub agent: Option<String>,
}

struct Origin {
    document: Arc<Document>,
    header: Place,
    places: BTreeMap<String, Place>,
}

// === impl Declared ===

impl Declared {
    /// Adds what a file declares, and to `problems` everything that is wrong with it. `path` is shown in
    /// problems, and tasks' files are below its folder.
    pub fn read(&mut self, path: &Path, text: &str, environment: &dyn Environment, problems: &mut Problems) {
        let mut context = Context::new(Document::new(path, text), environment);
        if let Some(entries) = tree::read(&mut context) {
            let tables = [TUNNELS, AGENTS, SOURCES, SINKS, TASKS];
            // The name of a section without keys of its own.
            let mut root = Section::root(entries, TUNNELS, &tables, &mut context);
            self.read_tables(&mut root, path.parent().unwrap_or(Path::new("")), &mut context);
        }
        if let Err(found) = context.problems.into_result() {
            problems.append(found);
        }
    }

    fn read_tables(&mut self, root: &mut Section, folder: &Path, context: &mut Context<'_>) {
        for (name, path, node) in tables(root, TUNNELS, "tunnel", context) {
            let origin = Origin::of(&node, &path, context);
            let value = definition(node, &path, context);
            insert(&mut self.tunnels, name, Some(value), origin, context);
        }
        for (name, path, node) in tables(root, AGENTS, "agent", context) {
            let origin = Origin::of(&node, &path, context);
            self.agent_names.insert(name.clone());
            insert(&mut self.agents, name, agent(node, &path, context), origin, context);
        }
        for (section, word, role) in [(SOURCES, "source", Role::Source), (SINKS, "sink", Role::Sink)] {
            for (name, path, node) in tables(root, section, word, context) {
                let origin = Origin::of(&node, &path, context);
                insert(&mut self.addresses, name, address_of(node, role, &path, context), origin, context);
            }
        }
        for (name, path, node) in tables(root, TASKS, "task", context) {
            let origin = Origin::of(&node, &path, context);
            insert(&mut self.tasks, name, task(node, &path, folder, context), origin, context);
        }
    }

    /// Whether there is such an agent, also one that something is wrong with.
    pub fn has_agent(&self, name: &str) -> bool {
        self.agent_names.contains(name)
    }
}

fn insert<T>(
    map: &mut BTreeMap<String, Entry<T>>,
    name: String,
    value: Option<T>,
    origin: Origin,
    context: &mut Context<'_>,
) {
    if let Some(first) = map.get(&name) {
        let first = first.problem("", "", "");
        let message = format!("the name is taken in {}:{}", first.path.display(), first.line);
        context.report(origin.header, Invalid::new(message, "remove one of the two, or give it another name"));
    } else if let Some(value) = value {
        map.insert(name, Entry { value, origin });
    }
}

fn agent(node: Node, path: &str, context: &mut Context<'_>) -> Option<Agent> {
    let header = node.clone();
    let mut table = Section::open(node, AGENTS_ENTRY, path, context);
    if !table.has("tunnel") {
        missing(&join(path, "tunnel"), "\"express-connect\", for instance", Some(&header), context);
    }
    let tunnel = table.word("tunnel", context);
    // In the order of the words in `keys`.
    let network = table.choice("network", context);
    let bind = table.word("bind", context);
    let weight = table.count("weight", context).and_then(|weight| NonZeroU32::new(u32::try_from(weight).ok()?));
    Some(Agent { tunnel: tunnel?, is_in_vpc: network? == 0, bind, weight: weight? })
}

fn task(node: Node, path: &str, folder: &Path, context: &mut Context<'_>) -> Option<Task> {
    let header = node.clone();
    let mut table = Section::open(node, TASKS_ENTRY, path, context);
    if !table.has("file") {
        missing(&join(path, "file"), "\"pipelines/nightly.toml\", for instance", Some(&header), context);
    }
    let file = table.word("file", context);
    let agent = table.word("agent", context);
    Some(Task { file: folder.join(file?), agent })
}

// === impl Entry ===

impl<T> Entry<T> {
    /// Something that's wrong with one of its keys, or with all of it where the key isn't there.
    pub fn problem(&self, key: &str, message: impl Into<String>, fix: impl Into<String>) -> Problem {
        let Origin { document, header, places } = &self.origin;
        document.problem(places.get(key).unwrap_or(header).clone(), Invalid::new(message, fix))
    }
}

// === impl Origin ===

impl Origin {
    fn of(node: &Node, path: &str, context: &Context<'_>) -> Self {
        let mut places = BTreeMap::new();
        if let Value::Table(entries) = &node.value {
            let told = entries.iter().filter(|(name, _)| TOLD.contains(&name.as_str()));
            places.extend(told.map(|(name, it)| (name.clone(), it.value_place(&join(path, name), &context.document))));
        }
        Self { document: context.document.clone(), header: node.key_place(path, &context.document), places }
    }
}

/// Shows nothing: the text may hold secrets.
impl std::fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Origin").finish_non_exhaustive()
    }
}
