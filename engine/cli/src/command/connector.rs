//! `engine connector`: what connectors there are and what one is, in words for a reviewer; and whether
//! it keeps the contract.

mod pull;
mod push;
mod test;

use culvert_host::loader::Connector;
use serde_json::{Value, json};

use crate::{
    args::{Connector as Asked, Places},
    assembly::runtime,
    connectors::{self, Asked as Named},
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// The connector can't be loaded.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    match asked {
        Asked::Pull(asked) => return pull::execute(asked, places),
        Asked::Push(asked) => return push::execute(asked, places),
        Asked::Test(asked) => return test::execute(asked, places),
        Asked::List { json } => {
            let runtime = runtime(places)?;
            let builtins = culvert_builtin::BUILTINS.iter().map(|builtin| connectors::built_in(&runtime, builtin.name));
            let loaded: Vec<Connector> = builtins.collect::<Result<_, _>>()?;
            list(&loaded, *json);
        }
        Asked::Inspect { connector, json } => {
            let runtime = runtime(places)?;
            let connector = connectors::load(&runtime, Named::by_hand(connector), places)?;
            if *json {
                output::line(&format!("{:#}", described(&connector)));
            } else {
                inspect(&connector);
            }
        }
    }
    Ok(Exit::Done)
}

fn roles(connector: &Connector) -> &'static str {
    let description = connector.description();
    match (&description.source_schema, &description.sink_schema) {
        (Some(_), Some(_)) => "source, sink",
        (Some(_), None) => "source",
        _ => "sink",
    }
}

fn list(loaded: &[Connector], as_json: bool) {
    if as_json {
        return output::line(&format!("{:#}", Value::from_iter(loaded.iter().map(described))));
    }
    output::line(&format!("{:<12}  {:<10}  {:<12}  {}", "name", "version", "roles", "sha256"));
    for connector in loaded {
        let (it, digest) = (connector.description(), &connector.digest()[..16]);
        output::line(&format!("{:<12}  {:<10}  {:<12}  {digest}", it.name, it.version, roles(connector)));
    }
}

fn inspect(connector: &Connector) {
    let it = connector.description();
    output::line(&format!(
        "name          {}\nversion       {}\nroles         {}",
        it.name,
        it.version,
        roles(connector)
    ));
    output::line(&format!("sha256        {}", connector.digest()));
    output::line(&format!("capabilities  {}", it.capabilities.iter().collect::<Vec<_>>().join(", ")));
    output::line("imports");
    for import in connector.imports() {
        output::line(&format!("  {import}"));
    }
    for (role, schema) in [("source", &it.source_schema), ("sink", &it.sink_schema)] {
        let Some(properties) = schema.as_ref().and_then(|schema| schema["properties"].as_object()) else { continue };
        output::line(&format!("[{role}]"));
        for (name, property) in properties {
            let kind = property["type"].as_str().unwrap_or("any");
            let grant = property["x-grant"].as_str().map(|grant| format!(", grants that {grant}")).unwrap_or_default();
            let about = property["description"].as_str().unwrap_or_default();
            output::line(&format!("  {name} ({kind}{grant})  {about}"));
        }
    }
}

fn described(connector: &Connector) -> Value {
    let it = connector.description();
    json!({
        "name": it.name,
        "version": it.version,
        "sha256": connector.digest(),
        "capabilities": it.capabilities.iter().collect::<Vec<_>>(),
        "imports": connector.imports(),
        "source_schema": it.source_schema,
        "sink_schema": it.sink_schema,
    })
}
