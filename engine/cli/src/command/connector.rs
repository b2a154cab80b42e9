//! `engine connector`: what connectors there are and what one is, in words for a reviewer; and whether
//! it keeps the contract.

mod test;

use culvert_host::loader::Connector;
use serde_json::{Value, json};

use crate::{
    args::{Connector as Asked, Places},
    assembly::runtime,
    connectors,
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// The connector can't be loaded.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    match asked {
        Asked::Test(asked) => return test::execute(asked, places),
        Asked::List { json } => {
            let runtime = runtime(places)?;
            let builtins = culvert_builtin::BUILTINS.iter().map(|builtin| connectors::load(&runtime, builtin.name));
            let loaded: Vec<Connector> = builtins.collect::<Result<_, _>>()?;
            list(&loaded, *json);
        }
        Asked::Inspect { connector, json } => {
            let runtime = runtime(places)?;
            let connector = connectors::load(&runtime, connector)?;
            if *json {
                output::line(&format!("{:#}", described(&connector)));
            } else {
                inspect(&connector);
            }
        }
    }
    Ok(Exit::Done)
}

fn roles(connector: &Connector) -> String {
    let it = connector.description();
    let all = [("source", &it.source_schema), ("sink", &it.sink_schema), ("transform", &it.transform_schema)];
    let roles: Vec<&str> = all.into_iter().filter(|(_, schema)| schema.is_some()).map(|(role, _)| role).collect();
    roles.join(", ")
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
    if it.transform_schema.is_some() {
        output::line(
            "as a transform it's granted nothing: no folder, no server, and a clock that stands still; random numbers are had by all",
        );
    }
    for (role, schema) in
        [("source", &it.source_schema), ("sink", &it.sink_schema), ("transform", &it.transform_schema)]
    {
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
        "transform_schema": it.transform_schema,
    })
}
