//! What a connector is tried with: a source's table, a sink's, or both, as in a pipeline, and the limits
//! of its instances. Has no tunnel and moves nothing.

use std::path::Path;

use crate::{
    document::{Context, Document},
    endpoint::{Endpoint, Role},
    environment::Environment,
    keys::{ADDRESS, LIMITS, SINK, SOURCE},
    pipeline::{self, ConnectorLimits},
    problem::{Invalid, Problems},
    section::Section,
    tree::{self, Node, Value, join},
};

/// The file of `engine connector test`.
#[derive(Debug, Clone)]
pub struct Trial {
    pub source: Option<Endpoint>,
    pub sink: Option<Endpoint>,
    pub limits: ConnectorLimits,
}

/// A section without keys of its own: the file has these tables and nothing else.
const FILE: &str = "connector test";
const TABLES: [&str; 3] = [SOURCE, SINK, LIMITS];
const CONNECTOR: &str = "connector";

/// Reads the tables that `connector` is tried with; they need not name it again. `path` is only shown in
/// problems.
///
/// # Errors
/// Everything that is wrong with the text, or that it has neither a source nor a sink.
pub fn parse_trial(path: &Path, text: &str, connector: &str, environment: &dyn Environment) -> Result<Trial, Problems> {
    let mut context = Context::new(Document::new(path, text), environment);
    let trial = tree::read(&mut context).and_then(|mut entries| {
        for role in [Role::Source, Role::Sink] {
            if let Some(node) = entries.get_mut(role.as_str()) {
                name(node, role, connector, &mut context);
            }
        }
        let mut root = Section::root(entries, FILE, &TABLES, &mut context);
        trial(&mut root, &mut context)
    });
    context.problems.into_result()?;
    trial.ok_or_else(Problems::default)
}

fn trial(root: &mut Section, context: &mut Context<'_>) -> Option<Trial> {
    let (has_source, has_sink) = (root.has(SOURCE), root.has(SINK));
    if !has_source && !has_sink {
        let fix = "write [source], [sink] or both, each with the connector's own keys";
        context.report(Default::default(), Invalid::new("the file has neither a source nor a sink", fix));
        return None;
    }
    let source = if has_source { Some(pipeline::endpoint(root, Role::Source, context)) } else { None };
    let sink = if has_sink { Some(pipeline::endpoint(root, Role::Sink, context)) } else { None };
    let limits = pipeline::limits(pipeline::section(root, LIMITS, context), context);
    let whole = |end: Option<Option<Endpoint>>| match end {
        None => Some(None),
        Some(end) => end.map(Some),
    };
    Some(Trial { source: whole(source)?, sink: whole(sink)?, limits: limits? })
}

/// Gives a table its connector where it has none, and refuses another one.
fn name(table: &mut Node, role: Role, connector: &str, context: &mut Context<'_>) {
    let Value::Table(entries) = &mut table.value else { return };
    match entries.get(CONNECTOR) {
        None if entries.contains_key(ADDRESS) => {}
        None => {
            let value = Value::Text(connector.to_owned());
            entries.insert(CONNECTOR.to_owned(), Node { key: 0..0, span: 0..0, value });
        }
        Some(node) => {
            if let Value::Text(named) = &node.value
                && named != connector
            {
                let place = node.value_place(&join(role.as_str(), CONNECTOR), &context.document);
                let fix = format!("remove the key: {connector:?} is tested");
                context.report(place, Invalid::new("it's another connector than the one that is tested", fix));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;
    use crate::ProcessEnvironment;

    fn read(text: &str) -> Result<Trial, String> {
        parse_trial(Path::new("test.toml"), text, "local", &ProcessEnvironment).map_err(|problems| problems.render())
    }

    #[test]
    fn a_table_need_not_name_the_connector() {
        let trial = read("[source]\npath = \"/a\"\n[limits]\ncall_timeout = \"1s\"").unwrap();
        assert_eq!(trial.source.unwrap().connector, "local");
        assert!(trial.sink.is_none());
        assert_eq!(trial.limits.call_timeout.as_secs(), 1);
        assert!(read("[sink]\nconnector = \"local\"\npath = \"/a\"").unwrap().sink.is_some());
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(read("").unwrap_err().contains("neither a source nor a sink"));
        assert!(read("[sink]\nconnector = \"s3\"").unwrap_err().contains("another connector"));
        assert!(read("[sink]\npath = \"/a\"\n[tunnel]").unwrap_err().contains("unknown key"));
    }
}
