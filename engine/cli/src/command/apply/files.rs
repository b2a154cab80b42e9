//! The files of a folder, and everything that is wrong with them: with each by itself, with one against
//! another, with what is there already, with what connectors ask for. Changes nothing.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use culvert_host::{http::Bind, runtime::Runtime};
use culvert_manifest::{
    Declared, DeclaredTask, Endpoint, EngineFile, Entry, Environment, Pipeline, Problems, Role, TunnelRef, parse,
};

use crate::{
    args::Places,
    assembly,
    command::address::schema_of,
    exit::Failure,
    folders,
    inventory::{Inventory, addresses::Surroundings},
};

/// What was read, and what is wrong with it.
pub(super) struct Reading {
    pub(super) declared: Declared,
    /// What each task's pipeline says.
    pub(super) pipelines: BTreeMap<String, Named>,
    pub(super) problems: Problems,
}

/// What a task's pipeline names.
pub(super) struct Named {
    pub(super) pipeline: String,
    pub(super) tunnel: Option<String>,
    pub(super) addresses: BTreeSet<String>,
}

/// The addresses of the files before those that are there already.
struct Overlay<'a> {
    declared: &'a Declared,
    there: Surroundings<'a>,
    /// By the end of the pipeline that asked for one.
    asked: RefCell<Vec<(Role, String)>>,
}

/// # Errors
/// The folder or a file can't be read, or there is none.
pub(super) fn read(folder: &Path, places: &Places) -> Result<Reading, Failure> {
    let mut reading =
        Reading { declared: Declared::default(), pipelines: BTreeMap::new(), problems: Problems::default() };
    for file in files(folder)? {
        let text = folders::read_text(&file)
            .map_err(|error| Failure::usage(format!("can't read {}: {error}", file.display())))?;
        reading.declared.read(&file, &text, &Surroundings::new(places), &mut reading.problems);
    }
    Ok(reading)
}

/// By name, so that one folder is read in one way.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("can't read the folder {}: {error}", folder.display()));
    if folder.is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::usage(format!("there is no *.toml file in {}", folder.display())));
    }
    Ok(files)
}

/// Adds what is wrong with what was read.
///
/// # Errors
/// The state folder can't be read.
pub(super) fn check(
    reading: &mut Reading,
    inventory: &Inventory,
    (path, file): (&Path, &EngineFile),
    places: &Places,
) -> Result<(), Failure> {
    let Reading { declared, pipelines, problems } = reading;
    for (name, tunnel) in
        declared.tunnels.iter().filter(|(name, _)| !inventory.is_fleet && file.tunnels.contains_key(*name))
    {
        let message = format!("{} defines this tunnel", path.display());
        problems.push(tunnel.problem("", message, format!("remove [tunnels.{name}] from one of the two")));
    }
    for agent in declared.agents.values() {
        let tunnel = &agent.value.tunnel;
        if !declared.tunnels.contains_key(tunnel) && inventory.tunnel(tunnel)?.is_none() {
            let fix = format!("write [tunnels.{tunnel}], or make it with `engine tunnel create {tunnel}`");
            problems.push(agent.problem("tunnel", "there is no such tunnel", fix));
        }
        if let Some(Err(message)) = agent.value.bind.as_deref().map(Bind::parse) {
            let fix = "write an address of this machine or the name of an interface";
            problems.push(agent.problem("bind", message.to_string(), fix));
        }
    }
    let runtime = assembly::runtime(places)?;
    for address in declared.addresses.values() {
        let wrong = |message: String| address.problem("connector", message, "name another one");
        conform((&address.value.endpoint, None), (&runtime, places), true, wrong, problems);
    }
    for (name, task) in &declared.tasks {
        if let Some(agent) = &task.value.agent
            && !declared.has_agent(agent)
            && inventory.agent(agent)?.is_none()
        {
            let fix = format!("write [agents.{agent}], or make it with `engine agent create {agent}`");
            problems.push(task.problem("agent", "there is no such agent", fix));
        }
        if let Some(named) = pipeline(task, declared, inventory, (&runtime, places), problems)? {
            pipelines.insert(name.clone(), named);
        }
    }
    Ok(())
}

/// Whether the connector takes the table, of this pipeline if it's one's. `clear`: secrets that are written down are refused.
fn conform(
    (endpoint, pipeline): (&Endpoint, Option<&Path>),
    loading: (&Runtime, &Places),
    clear: bool,
    wrong: impl Fn(String) -> culvert_manifest::Problem,
    problems: &mut Problems,
) {
    let schema = match schema_of(endpoint, pipeline, loading) {
        Ok(schema) => schema,
        Err(failure) => return problems.push(wrong(failure.to_string())),
    };
    if let Some(found) = clear.then(|| endpoint.refuse_clear_secrets(&schema)).and_then(Result::err) {
        problems.append(found);
    }
    if let Err(found) = endpoint.check(&schema) {
        problems.append(found);
    }
}

/// Reads the pipeline of a task as it will be when everything has been made.
fn pipeline(
    task: &Entry<DeclaredTask>,
    declared: &Declared,
    inventory: &Inventory,
    (runtime, places): (&Runtime, &Places),
    problems: &mut Problems,
) -> Result<Option<Named>, Failure> {
    let path = &task.value.file;
    let text = match folders::read_text(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("can't read the pipeline {}: {error}", path.display());
            problems.push(task.problem("file", message, "write the path from the folder of this file"));
            return Ok(None);
        }
    };
    let overlay = Overlay { declared, there: Surroundings::new(places), asked: RefCell::default() };
    let Pipeline { name, tunnel, source, sink, .. } = match parse(path, &text, &overlay) {
        Ok(pipeline) => pipeline,
        Err(found) => {
            problems.append(found);
            return Ok(None);
        }
    };
    let tunnel = match tunnel {
        TunnelRef::Named(name) => Some(name),
        TunnelRef::Inline(_) => None,
    };
    if let Some(tunnel) = &tunnel
        && !declared.tunnels.contains_key(tunnel)
        && inventory.tunnel(tunnel)?.is_none()
    {
        let message = format!("its pipeline names the tunnel {tunnel:?}, which isn't there");
        problems.push(task.problem("file", message, format!("write [tunnels.{tunnel}]")));
    }
    let asked = overlay.asked.into_inner();
    // An address is checked where it's declared, or was when it was made.
    for end in [&source, &sink].into_iter().filter(|end| asked.iter().all(|(role, _)| *role != end.role)) {
        let role = end.role.as_str();
        let wrong = |message: String| {
            let message = format!("its pipeline's {role}.connector: {message}");
            task.problem("file", message, "correct the pipeline")
        };
        // In a fleet its text is stored.
        conform((end, Some(path)), (runtime, places), inventory.is_fleet, wrong, problems);
    }
    Ok(Some(Named { pipeline: name, tunnel, addresses: asked.into_iter().map(|(_, name)| name).collect() }))
}

// === impl Overlay ===

impl Environment for Overlay<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.there.variable(name)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.there.read_file(path)
    }

    fn address(&self, name: &str, role: Role) -> Option<String> {
        self.asked.borrow_mut().push((role, name.to_owned()));
        match self.declared.addresses.get(name) {
            Some(address) => (address.value.endpoint.role == role).then(|| address.value.text.clone()),
            None => self.there.address(name, role),
        }
    }

    fn now(&self) -> SystemTime {
        self.there.now()
    }
}
