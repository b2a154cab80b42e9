//! `engine.toml`: the tunnels that pipelines name. Holds no pipeline and no connector.

use std::{collections::BTreeMap, path::Path};

use culvert_flow::tunnel::lease::Definition;
use jiff::tz::TimeZone;

use crate::{
    document::{Context, Document},
    environment::Environment,
    item,
    keys::{TUNNELS, TUNNELS_ENTRY},
    kind::Kind,
    pipeline::tunnel_limits,
    problem::{Invalid, Problems},
    section::Section,
    tree::{self, Node, Value, join},
};

/// What `engine.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFile {
    /// From `[tunnels.<name>]`; names as in [`crate::TunnelRef::Named`].
    pub tunnels: BTreeMap<String, Definition>,
}

/// Reads `engine.toml`. `path` is only shown in problems.
///
/// # Errors
/// Everything that is wrong with the text, in the order of its lines. A text that isn't TOML yields
/// only that.
pub fn parse_engine(path: &Path, text: &str, environment: &dyn Environment) -> Result<EngineFile, Problems> {
    let mut context = Context::new(Document::new(path, text), environment);
    let mut file = EngineFile::default();
    if let Some(entries) = tree::read(&mut context) {
        // The name of a section without keys of its own: `tunnels` is all that the file may have.
        let mut root = Section::root(entries, TUNNELS, &[TUNNELS], &mut context);
        for (name, path, node) in tables(&mut root, TUNNELS, "tunnel", &mut context) {
            file.tunnels.insert(name, definition(node, &path, &mut context));
        }
    }
    context.problems.into_result().map(|()| file)
}

/// The tables below a section, each with its name and its path; names that can't be taken are reported.
pub(crate) fn tables(
    root: &mut Section,
    section: &'static str,
    word: &str,
    context: &mut Context<'_>,
) -> Vec<(String, String, Node)> {
    let Some(node) = root.take(section) else { return Vec::new() };
    let entries = Section::open_with_own_keys(node, section, section, context).rest().into_iter();
    let named = entries.map(|(name, node)| {
        let path = join(section, &name);
        if let Err(invalid) = Kind::Name.word(&Value::Text(name.clone())) {
            let place = node.key_place(&path, &context.document);
            context.report(place, Invalid { message: format!("of the {word}, {}", invalid.message), ..invalid });
        }
        (name, path, node)
    });
    named.collect()
}

pub(crate) fn definition(node: Node, path: &str, context: &mut Context<'_>) -> Definition {
    let mut table = Section::open(node, TUNNELS_ENTRY, path, context);
    let limits = tunnel_limits(&mut table, context);
    let floor = table.rate("floor", context);
    let zone = table.time_zone("timezone", context).unwrap_or(TimeZone::UTC);
    let hours = table.list("schedule", context, item::hours).into_iter();
    let schedule = hours.filter_map(|hours| hours.value.period(&zone)).collect();
    Definition { limits, floor, schedule, ..Definition::default() }
}
