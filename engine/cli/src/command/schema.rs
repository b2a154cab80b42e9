//! `engine schema`: the JSON Schema of pipeline files with the built-in connectors' own keys.

use culvert_host::loader::Connector;
use culvert_manifest::{ConnectorSchemas, pipeline_schema};

use crate::{
    args::Places,
    assembly::runtime,
    connectors,
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// A built-in connector can't be loaded.
pub(crate) fn execute(places: &Places) -> Result<Exit, Failure> {
    let runtime = runtime(places)?;
    let builtins = culvert_builtin::BUILTINS.iter().map(|builtin| connectors::built_in(&runtime, builtin.name));
    let loaded: Vec<Connector> = builtins.collect::<Result<_, _>>()?;
    let schemas: Vec<ConnectorSchemas<'_>> = loaded
        .iter()
        .map(Connector::description)
        .map(|it| ConnectorSchemas {
            name: &it.name,
            source: it.source_schema.as_ref(),
            sink: it.sink_schema.as_ref(),
            transform: it.transform_schema.as_ref(),
        })
        .collect();
    output::line(&format!("{:#}", pipeline_schema(&schemas)));
    Ok(Exit::Done)
}
