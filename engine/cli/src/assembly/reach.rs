//! What a component may reach as an end of a pipeline: the grants that a run would give it, as data.
//! Starts no instance, reaches no store and knows no secret's value.

use std::path::{Path, PathBuf};

use culvert_host::{
    grants::{EndpointGrant, FolderGrant, Grants, SocketGrant},
    loader::Connector,
    requests::Requests,
};
use culvert_manifest::{Endpoint as Table, Role, parse};
use serde_json::Value;

use super::{End, load, runtime};
use crate::{
    args::Places,
    connectors::{self, Asked, pinned::Pins},
    exit::Failure,
    folders,
    inventory::addresses::Surroundings,
};

/// The rights of one end.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) role: Role,
    pub(crate) folder: Option<PathBuf>,
    /// `https://example.com:443`, each.
    pub(crate) endpoints: Vec<String>,
    /// `ftp.example.com:21`.
    pub(crate) server: Option<String>,
    /// Keys whose text the connector gets.
    pub(crate) secrets: Vec<String>,
    /// Keys that only the engine uses.
    pub(crate) kept_secrets: Vec<String>,
    pub(crate) identity: Identity,
    /// Otherwise its clocks stand still.
    pub(crate) has_time: bool,
    pub(crate) has_random: bool,
}

/// Whose keys the connector may ask for, to sign requests with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// It doesn't import `credentials`, or nothing signs.
    None,
    /// Those of its table.
    Table,
    /// Those that the engine finds where this provider's tools look.
    Found(&'static str),
}

const CREDENTIALS: &str = "culvert:connector/credentials@";
const RANDOM: &str = "wasi:random/";

// === impl Reach ===

impl Reach {
    /// What this component may reach in a pipeline: once for each table that is this very component.
    ///
    /// # Errors
    /// The pipeline is wrong, none of its tables is this component, or the component imports what the
    /// pipeline doesn't grant: the sentence with which a run would refuse it.
    pub(crate) fn under(file: &Path, component: &Connector, places: &Places) -> Result<Vec<Self>, Failure> {
        let text = folders::read_text(file)
            .map_err(|error| Failure::usage(format!("can't read the pipeline {}: {error}", file.display())))?;
        let pipeline =
            parse(file, &text, &Surroundings::new(places)).map_err(|problems| Failure::usage(problems.render()))?;
        let runtime = runtime(places)?;
        let pins = Pins::Beside(file);
        let mut found = Vec::new();
        for table in [&pipeline.source, &pipeline.sink] {
            if connectors::load(&runtime, Asked::of(table, pins), places)?.digest() != component.digest() {
                continue;
            }
            let end = load(&runtime, (file, pins, places), table, None)?
                .map_err(|problems| Failure::usage(problems.render()))?;
            found.push(Self::of(&end.connector, table, file, grants(&end, table.role))?);
        }
        for table in &pipeline.transforms {
            let connector = connectors::load(&runtime, Asked::of(table, pins), places)?;
            if connector.digest() == component.digest() {
                found.push(Self::of(&connector, table, file, Grants::default())?);
            }
        }
        if found.is_empty() {
            let tables = [&pipeline.source, &pipeline.sink].into_iter().chain(&pipeline.transforms);
            let used: Vec<_> = tables.map(|table| format!("{:?}", table.connector)).collect();
            let message = format!(
                "{} uses {}, and none is the component with the digest {}; name the component there",
                file.display(),
                used.join(", "),
                component.digest()
            );
            return Err(Failure::usage(message));
        }
        Ok(found)
    }

    fn of(connector: &Connector, table: &Table, file: &Path, grants: Grants) -> Result<Self, Failure> {
        let role = table.role;
        if let Some(refusal) = grants.refusal(connector.imports().iter().map(String::as_str)) {
            return Err(Failure::usage(format!("{}: {}: {refusal}", file.display(), role.as_str())));
        }
        let description = connector.description();
        let schema = match role {
            Role::Source => &description.source_schema,
            Role::Sink => &description.sink_schema,
            Role::Transform => &description.transform_schema,
        };
        let schema = schema.as_ref().unwrap_or(&Value::Null);
        let (kept_secrets, secrets) = table.secrets(schema).into_iter().partition(|key| is_kept(schema, role, key));
        let imports = |prefix: &str| connector.imports().iter().any(|import| import.starts_with(prefix));
        Ok(Self {
            role,
            endpoints: grants.endpoints.iter().map(shown).collect(),
            server: grants.socket.map(|server| format!("{}:{}", server.host, server.port)),
            folder: grants.folder.map(|folder| folder.path),
            secrets,
            identity: if imports(CREDENTIALS) { identity(schema, &kept_secrets, role) } else { Identity::None },
            kept_secrets,
            has_time: !grants.endpoints.is_empty(),
            has_random: imports(RANDOM),
        })
    }
}

/// What an end is granted. A transform is granted nothing.
fn grants(end: &End, role: Role) -> Grants {
    Grants {
        folder: end.folder.clone().map(|path| FolderGrant { path, writable: role == Role::Sink }),
        endpoints: end.network.grants(),
        socket: end.server.as_ref().map(|server| SocketGrant {
            host: server.host.clone(),
            port: server.port,
            requests: Requests::default(),
        }),
    }
}

fn shown(endpoint: &EndpointGrant) -> String {
    format!("{}://{}:{}", endpoint.scheme, endpoint.host, endpoint.port)
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// Whether the engine takes this key for itself.
fn is_kept(schema: &Value, role: Role, key: &str) -> bool {
    let name = key.strip_prefix(role.as_str()).and_then(|rest| rest.strip_prefix('.'));
    name.is_some_and(|name| properties(schema).any(|(known, it)| known == name && it.get("x-engine").is_some()))
}

fn identity(schema: &Value, kept: &[String], role: Role) -> Identity {
    let access = properties(schema).find(|(_, it)| it["x-engine"] == "secret");
    let Some((name, _)) = access else { return Identity::None };
    if kept.contains(&format!("{}.{name}", role.as_str())) {
        return Identity::Table;
    }
    Identity::Found(if schema["x-credentials"] == "alibaba" { "Alibaba Cloud" } else { "AWS" })
}
