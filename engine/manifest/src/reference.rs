//! `{ env = "NAME" }` and `{ file = "/path" }` in the place of a value. Never shows what they give.

use std::{collections::BTreeMap, path::Path};

use crate::{
    document::{Context, Place},
    problem::{Invalid, quoted},
    secret::Secret,
    tree::{Node, Value, join},
};

/// Where a referenced value is.
#[derive(Debug, Clone, Copy)]
enum Reference<'a> {
    Variable(&'a str),
    File(&'a str),
}

/// The node itself, or what it refers to; one that refers to nothing is reported at its place.
pub(crate) fn resolve(node: Node, path: &str, context: &mut Context<'_>) -> Node {
    let Some(reference) = Reference::of(&node.value) else { return node };
    let value = match reference.fetch(context) {
        Ok(secret) => Value::Secret(secret),
        Err(invalid) => {
            let mut place = node.key_place(path, &context.document);
            // What stands in the place of a name may be the value itself.
            if reference.is_plausible() {
                place = Place { shown: place.shown.start..node.span.end, marked: node.span.clone(), ..place };
            }
            context.report(place, invalid);
            Value::Broken
        }
    };
    Node { value, ..node }
}

/// The same for everything in a table and below.
pub(crate) fn resolve_entries(
    entries: BTreeMap<String, Node>,
    path: &str,
    context: &mut Context<'_>,
) -> BTreeMap<String, Node> {
    let resolved = entries.into_iter().map(|(name, entry)| {
        let path = join(path, &name);
        let node = resolve_below(entry, &path, context);
        (name, node)
    });
    resolved.collect()
}

fn resolve_below(node: Node, path: &str, context: &mut Context<'_>) -> Node {
    let node = resolve(node, path, context);
    let value = match node.value {
        Value::List(items) => {
            let items = items.into_iter().enumerate();
            Value::List(items.map(|(index, item)| resolve_below(item, &format!("{path}[{index}]"), context)).collect())
        }
        Value::Table(entries) => Value::Table(resolve_entries(entries, path, context)),
        value => value,
    };
    Node { value, ..node }
}

// === impl Reference ===

impl<'a> Reference<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        let Value::Table(entries) = value else { return None };
        let (name, entry) = entries.first_key_value().filter(|_| entries.len() == 1)?;
        let Value::Text(text) = &entry.value else { return None };
        match name.as_str() {
            "env" => Some(Self::Variable(text)),
            "file" => Some(Self::File(text)),
            _ => None,
        }
    }

    /// Whether it has the form of a name or a path.
    fn is_plausible(self) -> bool {
        match self {
            Self::Variable(name) => {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            }
            Self::File(_) => true,
        }
    }

    fn fetch(self, context: &Context<'_>) -> Result<Secret, Invalid> {
        match self {
            Self::Variable(name) => {
                if !self.is_plausible() {
                    let message = "this isn't the name of an environment variable";
                    return Err(Invalid::new(message, "write its name, letters, digits and _, not its value"));
                }
                let text = context.environment.variable(name).ok_or_else(|| {
                    let message = format!("the environment variable {name} isn't set");
                    Invalid::new(message, "set it, or write { file = \"...\" }")
                })?;
                let text = text.into_string().map_err(|_| {
                    let message = format!("the environment variable {name} isn't UTF-8");
                    Invalid::new(message, "set it to a text in UTF-8")
                })?;
                Ok(Secret::new(text))
            }
            Self::File(path) => {
                let text = context.environment.read_file(Path::new(path)).map_err(|error| {
                    let message = format!("can't read the file {}: {}", quoted(path), lower(&error.to_string()));
                    Invalid::new(message, "check that it exists and that this user may read it")
                })?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
            }
        }
    }
}

fn lower(message: &str) -> String {
    let mut characters = message.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}
