//! `engine connector inspect`: what a component is, and what it may reach under a pipeline, in words for
//! whoever reviews it. Reaches nothing and judges nothing but what no grant covers.

use culvert_host::{grants::meaning, loader::Connector};
use culvert_manifest::Role;
use serde_json::{Value, json};

use crate::{
    args::{Places, connector::Inspect as Asked},
    assembly::{
        reach::{Identity, Reach},
        runtime,
    },
    connectors,
    exit::{Exit, Failure},
    output,
};

/// Of a column of names.
const WIDTH: usize = 14;

/// # Errors
/// It's no connector, imports what nothing grants, or isn't in the pipeline.
pub(super) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let connector = connectors::load(&runtime(places)?, connectors::Asked::by_hand(&asked.connector), places)?;
    let reach = asked.pipeline.as_deref().map(|file| Reach::under(file, &connector, places)).transpose()?;
    if asked.json {
        let mut described = described(&connector);
        if let Some(reach) = &reach {
            described["reach"] = reach.iter().map(as_json).collect();
        }
        output::line(&format!("{described:#}"));
        return Ok(Exit::Done);
    }
    show(&connector);
    for (reach, file) in reach.iter().flatten().zip(asked.pipeline.iter().cycle()) {
        output::line(&format!("as [{}] of {} it reaches this and nothing else", reach.role.as_str(), file.display()));
        for (what, words) in words(reach) {
            output::line(&format!("  {what:<12}{words}"));
        }
    }
    Ok(Exit::Done)
}

/// The roles, with commas.
pub(super) fn roles(connector: &Connector) -> String {
    let it = connector.description();
    let all = [("source", &it.source_schema), ("sink", &it.sink_schema), ("transform", &it.transform_schema)];
    let roles: Vec<&str> = all.into_iter().filter(|(_, schema)| schema.is_some()).map(|(role, _)| role).collect();
    roles.join(", ")
}

/// As one JSON object.
pub(super) fn described(connector: &Connector) -> Value {
    let it = connector.description();
    json!({
        "name": it.name,
        "version": it.version,
        "sha256": connector.digest(),
        "roles": roles(connector).split(", ").collect::<Vec<_>>(),
        "capabilities": it.capabilities.iter().collect::<Vec<_>>(),
        "imports": connector.imports(),
        "source_schema": it.source_schema,
        "sink_schema": it.sink_schema,
        "transform_schema": it.transform_schema,
    })
}

fn show(connector: &Connector) {
    let it = connector.description();
    let capabilities = it.capabilities.iter().collect::<Vec<_>>().join(", ");
    for (what, words) in [
        ("name", it.name.as_str()),
        ("version", &it.version),
        ("roles", &roles(connector)),
        ("sha256", connector.digest()),
        ("capabilities", &capabilities),
    ] {
        output::line(&format!("{what:<WIDTH$}{words}"));
    }
    output::line("imports");
    let widest = connector.imports().iter().map(String::len).max().unwrap_or_default();
    for import in connector.imports() {
        output::line(&format!("  {import:<widest$}  {}", meaning(import)));
    }
    if it.transform_schema.is_some() {
        output::line(
            "as a transform it's granted nothing: no folder, no server, and a clock that stands still; random numbers are had by all",
        );
    }
    let schemas = [("source", &it.source_schema), ("sink", &it.sink_schema), ("transform", &it.transform_schema)];
    for (role, schema) in schemas {
        let Some(properties) = schema.as_ref().and_then(|schema| schema["properties"].as_object()) else { continue };
        output::line(&format!("[{role}]"));
        for (name, property) in properties {
            let kind = property["type"].as_str().unwrap_or("any");
            let grant = property["x-grant"].as_str().or_else(|| property["items"]["x-grant"].as_str());
            let grant = grant.map(|grant| format!(", grants that {grant}")).unwrap_or_default();
            let about = property["description"].as_str().unwrap_or_default();
            output::line(&format!("  {name} ({kind}{grant})  {about}"));
        }
    }
}

/// Each kind of right there is, also where there is none of it.
fn words(reach: &Reach) -> [(&'static str, String); 8] {
    let or_none = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let rights = if reach.role == Role::Sink { "read and write" } else { "read only" };
    let folder = reach.folder.as_ref().map(|it| format!("{} and what is below it, {rights}", it.display()));
    let server = reach.server.as_ref();
    let server = server.map(|it| format!("{it}, and ports from 1024 up of that host that it names for data"));
    let secrets = reach.secrets.iter().map(|key| format!("{key} (in clear)"));
    let kept = reach.kept_secrets.iter().map(|key| format!("{key} (used by the engine)"));
    let identity = match reach.identity {
        Identity::None => "none".to_owned(),
        Identity::Table => "may sign with the keys of its table".to_owned(),
        Identity::Found(whose) => format!("may sign with the keys that the engine finds where {whose}'s tools look"),
    };
    let time = if reach.has_time { "yes" } else { "no: its clocks stand still" };
    [
        ("folder", folder.unwrap_or_else(|| "none".to_owned())),
        ("HTTP", or_none(reach.endpoints.clone())),
        ("TCP", server.unwrap_or_else(|| "none".to_owned())),
        ("secrets", or_none(secrets.chain(kept).collect())),
        ("identity", identity),
        ("time", time.to_owned()),
        ("random", if reach.has_random { "yes" } else { "no" }.to_owned()),
        ("environment", "no variable, argument, standard stream or process".to_owned()),
    ]
}

fn as_json(reach: &Reach) -> Value {
    json!({
        "role": reach.role.as_str(),
        "folder": reach.folder.as_ref().map(|path| json!({"path": path, "writable": reach.role == Role::Sink})),
        "http": reach.endpoints,
        "tcp": reach.server,
        "secrets": reach.secrets,
        "kept_secrets": reach.kept_secrets,
        "identity": match reach.identity {
            Identity::None => "none",
            Identity::Table => "table",
            Identity::Found(_) => "found",
        },
        "time": reach.has_time,
        "random": reach.has_random,
    })
}
