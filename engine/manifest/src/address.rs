//! A named source or sink: the table of a pipeline's end in a file of its own. Kept as text with its
//! references unresolved, so that a secret is never part of it.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value as Json;

use crate::{
    document::{Context, Document, Place},
    endpoint::{Endpoint, Role},
    environment::Environment,
    pipeline::endpoint_of,
    problem::{Invalid, Problems},
    tree::{self, Node, Value, join},
};

/// A table that has been read.
#[derive(Debug, Clone)]
pub struct Address {
    pub endpoint: Endpoint,
    /// The same table as TOML, without comments and with its references as they are.
    pub text: String,
}

/// Reads the table of an end. `path` is only shown in problems.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn parse_address(path: &Path, text: &str, role: Role, environment: &dyn Environment) -> Result<Address, Problems> {
    let mut context = Context::new(Document::new(path, text), environment);
    let address = tree::read(&mut context).and_then(|entries| {
        let node = Node { key: 0..0, span: 0..0, value: Value::Table(entries) };
        address_of(node, role, role.as_str(), &mut context)
    });
    context.problems.into_result()?;
    address.ok_or_else(Problems::default)
}

/// The same for a table that stands at `path` in some file.
pub(crate) fn address_of(node: Node, role: Role, path: &str, context: &mut Context<'_>) -> Option<Address> {
    let text = if let Value::Table(entries) = &node.value { lines(entries) } else { String::new() };
    endpoint_of(node, role, path, context).map(|endpoint| Address { endpoint, text })
}

// === impl Endpoint ===

impl Endpoint {
    /// Refuses a secret that's written down.
    ///
    /// # Errors
    /// Every property that the connector's schema calls secret and that isn't a reference.
    pub fn refuse_clear_secrets(&self, schema: &Json) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.each_secret(schema, &mut |node, path| {
            if !matches!(node.value, Value::Secret(_) | Value::Broken) {
                let place = Place { value: None, shown: 0..0, ..node.key_place(path, &self.document) };
                let fix = "write { env = \"NAME\" } or { file = \"/path\" }";
                problems.push(self.document.problem(place, Invalid::new("a secret can't be written here", fix)));
            }
        });
        problems.into_result()
    }
}

fn lines(entries: &BTreeMap<String, Node>) -> String {
    entries.iter().map(|(name, node)| format!("{} = {}\n", join("", name), written(&node.value))).collect()
}

/// On one line. TOML's basic strings have the escapes of JSON's.
fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => Json::from(text.as_str()).to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(value) => value.to_string(),
        Value::Time(text) => text.clone(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| written(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(entries) => {
            let entries = entries.iter().map(|(name, node)| format!("{} = {}", join("", name), written(&node.value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        // The first isn't there before references are resolved, the second has been reported.
        Value::Secret(_) | Value::Broken => "\"\"".to_owned(),
    }
}
