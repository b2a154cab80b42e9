//! One end of a pipeline, or a transform between them: its connector and that connector's own table, kept with its places until
//! the connector's schema is known. Starts no connector.

use std::{fmt, path::PathBuf, sync::Arc};

use serde_json::{Map, Number, Value as Json};

use crate::{
    Digest, Reference, conformity,
    document::Document,
    problem::{Invalid, Problems},
    schema,
    secret::REDACTED,
    tree::{Node, Value, join},
};

/// `[source]`, `[sink]`, or one of `[[transform]]`.
#[derive(Clone)]
pub struct Endpoint {
    /// The name of a built-in, the path of a `.wasm` file, or a [`Reference`].
    pub connector: String,
    /// What the component must be; none: anything.
    pub sha256: Option<Digest>,
    pub role: Role,
    /// Where the table stands: `source`, for instance.
    pub(crate) path: String,
    pub(crate) table: Node,
    pub(crate) document: Arc<Document>,
}

/// Which end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Objects are read.
    Source,
    /// Objects are written.
    Sink,
    /// Objects become others on their way.
    Transform,
}

/// The schema's word for what a property grants.
const GRANT: &str = "x-grant";
/// The schema's word for a secret.
const SECRET: &str = "x-secret";
/// The schema's word for a property that tells one store from another.
const IDENTITY: &str = "x-identity";

/// An endpoint's table as its connector takes it, secrets in clear: prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Config(Json);

/// What a connector may reach, because its pipeline's author wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// An absolute path. A relative one counts from this process's working directory.
    Folder(PathBuf),
    /// A URL without user, password, path or query: `https://example.com:8443`.
    Endpoint(String),
    /// The same for a server that's spoken to over TCP: `ftp://example.com:2121`.
    Socket(String),
    /// The server of this name below each endpoint: `archive` for `https://archive.example.com:8443`.
    Subdomain(String),
}

// === impl Endpoint ===

impl Endpoint {
    /// Checks the table against the JSON Schema (draft 2020-12) that the connector's `describe` gave
    /// for this role, and returns it as JSON. Text that came from a variable or a file becomes a
    /// number or a boolean where the schema asks for one.
    ///
    /// # Errors
    /// Every place where the table isn't what the schema asks for, or where a granted folder is
    /// empty; or that the schema itself is broken. Values appear only where the schema knows the
    /// property and doesn't call it secret.
    pub fn check(&self, schema: &Json) -> Result<Config, Problems> {
        let mut problems = Problems::default();
        let path = self.path.as_str();
        let config = self.json(&self.table, path, schema, Some(schema), &mut problems);
        conformity::check(self, schema, &config, &mut problems);
        let mut empty = Vec::new();
        walk(&self.table, path, schema, schema, GRANT, &mut |node, path, is_secret, grant| {
            if grant == "folder" && text(node).is_some_and(str::is_empty) {
                empty.push(self.empty_folder(node, path, is_secret));
            }
        });
        // A schema that asks for a length has said the same.
        empty.retain(|empty| problems.iter().all(|problem| problem.key != empty.key));
        empty.into_iter().for_each(|problem| problems.push(problem));
        problems.into_result().map(|()| Config(config))
    }

    /// What the table grants to the connector: its properties that the schema marks with `x-grant`.
    pub fn grants(&self, schema: &Json) -> Vec<Grant> {
        let mut grants = Vec::new();
        walk(
            &self.table,
            &self.path,
            schema,
            schema,
            GRANT,
            &mut |node, _, _, grant| match (grant.as_str(), text(node)) {
                (Some("folder"), Some(path)) => grants.push(Grant::Folder(absolute(path))),
                (Some("endpoint"), Some(url)) => grants.push(Grant::Endpoint(origin(url))),
                (Some("socket"), Some(url)) => grants.push(Grant::Socket(origin(url))),
                (Some("subdomain"), Some(label)) => grants.push(Grant::Subdomain(label.to_owned())),
                _ => {}
            },
        );
        grants
    }

    /// What tells this store from another, without secrets: the connector, and the properties that
    /// the schema marks with `x-grant` or `x-identity`, one a line.
    pub fn identity(&self, schema: &Json) -> String {
        // A newer build of a connector reaches the same store.
        let connector = match Reference::of(&self.connector) {
            Ok(Some(reference)) => reference.place(),
            _ => self.connector.clone(),
        };
        let mut lines = vec![format!("connector = {connector}")];
        for keyword in [GRANT, IDENTITY] {
            walk(&self.table, "", schema, schema, keyword, &mut |node, path, is_secret, mark| {
                let value = match (text(node), mark.as_str()) {
                    (Some(path), Some("folder")) => absolute(path).display().to_string(),
                    (Some(text), _) => text.to_owned(),
                    (None, _) => return,
                };
                if !is_secret && mark != &Json::Bool(false) {
                    lines.push(format!("{path} = {value}"));
                }
            });
        }
        lines.sort();
        lines.dedup();
        lines.join("\n")
    }

    /// The keys of what is secret in the table: what the schema says is, and what a variable or a file
    /// gives. In their order, each once.
    pub fn secrets(&self, schema: &Json) -> Vec<String> {
        let mut keys = Vec::new();
        self.each_secret(schema, &mut |_, key| keys.push(key.to_owned()));
        each_reference(&self.table, &self.path, &mut |key| keys.push(key));
        keys.sort();
        keys.dedup();
        keys
    }

    /// Every property that the schema calls secret, with its path.
    pub(crate) fn each_secret(&self, schema: &Json, found: &mut impl FnMut(&Node, &str)) {
        walk(&self.table, &self.path, schema, schema, SECRET, &mut |node, path, _, mark| {
            if mark != &Json::Bool(false) {
                found(node, path);
            }
        });
    }

    fn json(&self, node: &Node, path: &str, root: &Json, schema: Option<&Json>, problems: &mut Problems) -> Json {
        match &node.value {
            Value::Text(text) | Value::Time(text) => Json::String(text.clone()),
            Value::Secret(secret) => converted(secret.expose(), root, schema),
            Value::Integer(number) => Json::from(*number),
            Value::Boolean(value) => Json::Bool(*value),
            Value::Float(number) => Number::from_f64(*number).map_or_else(
                || {
                    let place = node.key_place(path, &self.document);
                    let invalid = Invalid::new("the number isn't finite", "write a finite one");
                    problems.push(self.document.problem(place, invalid));
                    Json::Null
                },
                Json::Number,
            ),
            Value::List(items) => {
                let schema = schema.and_then(|schema| schema::items(root, schema));
                let items = items.iter().enumerate();
                Json::Array(
                    items
                        .map(|(index, item)| self.json(item, &format!("{path}[{index}]"), root, schema, problems))
                        .collect(),
                )
            }
            Value::Table(entries) => {
                let json = entries.iter().map(|(name, entry)| {
                    let schema = schema.and_then(|schema| schema::property(root, schema, name));
                    (name.clone(), self.json(entry, &join(path, name), root, schema, problems))
                });
                Json::Object(json.collect::<Map<_, _>>())
            }
            Value::Broken => Json::Null,
        }
    }

    fn empty_folder(&self, node: &Node, path: &str, is_secret: bool) -> crate::Problem {
        let place =
            if is_secret { node.key_place(path, &self.document) } else { node.value_place(path, &self.document) };
        self.document.problem(place, Invalid::new("the folder's path is empty", "write the path of a folder, or \".\""))
    }
}

/// Shows the places of no value: any text may be secret until the schema says otherwise.
impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut endpoint = formatter.debug_struct("Endpoint");
        endpoint.field("connector", &self.connector).field("role", &self.role);
        if let Value::Table(entries) = &self.table.value {
            endpoint.field("keys", &entries.keys().collect::<Vec<_>>());
        }
        endpoint.finish_non_exhaustive()
    }
}

// === impl Role ===

impl Role {
    /// The word of the contract, and the name of the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Transform => "transform",
        }
    }
}

// === impl Config ===

impl Config {
    /// The JSON object itself: for the connector, never for a message.
    pub fn expose(&self) -> &Json {
        &self.0
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

/// An empty path has been refused; without a working directory nothing relative opens.
fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// Calls `found` with every property that the schema marks with this keyword, its path, whether it
/// may be secret, and the mark. The table has few levels: the tree was limited when it was read.
fn walk(
    node: &Node,
    path: &str,
    root: &Json,
    schema: &Json,
    keyword: &str,
    found: &mut impl FnMut(&Node, &str, bool, &Json),
) {
    if let Some(mark) = schema::keyword(root, schema, keyword) {
        found(node, path, schema::may_be_secret(root, schema), mark);
    }
    match &node.value {
        Value::Table(entries) => {
            for (name, entry) in entries {
                if let Some(schema) = schema::property(root, schema, name) {
                    walk(entry, &join(path, name), root, schema, keyword, found);
                }
            }
        }
        Value::List(list) => {
            if let Some(schema) = schema::items(root, schema) {
                for (index, item) in list.iter().enumerate() {
                    walk(item, &format!("{path}[{index}]"), root, schema, keyword, found);
                }
            }
        }
        _ => {}
    }
}

/// Every value that came from a variable or a file.
fn each_reference(node: &Node, path: &str, found: &mut impl FnMut(String)) {
    match &node.value {
        Value::Secret(_) => found(path.to_owned()),
        Value::Table(entries) => {
            entries.iter().for_each(|(name, entry)| each_reference(entry, &join(path, name), found));
        }
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| each_reference(item, &format!("{path}[{index}]"), found));
        }
        _ => {}
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        Value::Secret(secret) => Some(secret.expose()),
        _ => None,
    }
}

/// A variable's or file's text as the type that the schema asks for; as it is where it isn't one.
fn converted(text: &str, root: &Json, schema: Option<&Json>) -> Json {
    let asked = schema.and_then(|schema| schema::keyword(root, schema, "type")?.as_str());
    let converted = match asked {
        Some("integer") => text.trim().parse().ok().map(|number: i64| Json::from(number)),
        Some("number") => text.trim().parse().ok().and_then(Number::from_f64).map(Json::Number),
        Some("boolean") => text.trim().parse().ok().map(Json::Bool),
        _ => None,
    };
    converted.unwrap_or_else(|| Json::String(text.to_owned()))
}

/// Scheme, host and port of a URL, as far as it's one.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}
