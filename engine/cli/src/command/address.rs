//! `engine address`: gives the tables of sources and sinks a name. Stores no secret: what the connector
//! calls one has to be a reference.

use std::path::Path;

use culvert_flow::records::Kind;
use culvert_host::runtime::Runtime;
use culvert_manifest::{Endpoint, Role, parse_address, parse_name};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use super::run::runtime;
use crate::{
    args::{Places, address::Address as Asked},
    assembly::{self, MissingFolder, assemble},
    connectors::{self, Asked as Named, pinned::Pins},
    exit::{Exit, Failure},
    folders,
    inventory::{
        Inventory,
        addresses::{Address, Surroundings},
        missing,
    },
    output, table,
};

/// # Errors
/// What was asked for can't be done; each says what is missing.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let inventory = Inventory::open(places)?;
    match asked {
        Asked::Create { name, role, file } => {
            let name =
                parse_name(name).map_err(|invalid| Failure::usage(format!("the address {name:?}: {invalid}")))?;
            let text = folders::read_text(file)
                .map_err(|error| Failure::usage(format!("can't read the table {}: {error}", file.display())))?;
            let address = parse_address(file, &text, (*role).into(), &Surroundings::new(places))
                .map_err(|problems| Failure::usage(problems.render()))?;
            accept(&address.endpoint, places)?;
            inventory.create(Kind::Address, &name, &Address { role: *role, table: address.text }.to_text()?)?;
            output::line(&format!("address {name} made; `engine address check {name}` reaches it"));
        }
        Asked::Check { name } => {
            let (_, address) = inventory.address(name)?.ok_or_else(|| missing(Kind::Address, name))?;
            return check(name, address.role.into(), places);
        }
        Asked::Show { name, json } => {
            let (_, address) = inventory.address(name)?.ok_or_else(|| missing(Kind::Address, name))?;
            if *json {
                output::line(&described(name, &address).to_string());
            } else {
                output::line(&format!("# {}\n{}", word(&address), address.table.trim_end()));
            }
        }
        Asked::List { json: true } => {
            let all = inventory.addresses()?;
            let all = all.iter().map(|(stored, address)| described(&stored.name, address));
            output::line(&Value::from_iter(all).to_string());
        }
        Asked::List { json: false } => {
            let rows = inventory.addresses()?.into_iter().map(|(stored, it)| vec![stored.name, word(&it).to_owned()]);
            table::print(&["address", "role"], &rows.collect::<Vec<_>>());
        }
        Asked::Delete { name } => {
            let (stored, _) = inventory.address(name)?.ok_or_else(|| missing(Kind::Address, name))?;
            if !inventory.delete(Kind::Address, &stored)? {
                return Err(Failure::could_not_go_on(format!("the address {name:?} was changed just now; try again")));
            }
            output::line(&format!("address {name} deleted"));
        }
    }
    Ok(Exit::Done)
}

/// Whether the connector takes the table, and no secret stands in it.
fn accept(endpoint: &Endpoint, places: &Places) -> Result<(), Failure> {
    let schema = schema_of(endpoint, None, (&assembly::runtime(places)?, places))?;
    let refused = |problems: culvert_manifest::Problems| Failure::usage(problems.render());
    endpoint.refuse_clear_secrets(&schema).map_err(refused)?;
    endpoint.check(&schema).map(|_| ()).map_err(refused)
}

/// What the connector says of the table; `pipeline` is the file that it stands in, if it's a pipeline's.
///
/// # Errors
/// There is no such connector, or it can't be this end.
pub(super) fn schema_of(
    endpoint: &Endpoint,
    pipeline: Option<&Path>,
    (runtime, places): (&Runtime, &Places),
) -> Result<Value, Failure> {
    let connector = connectors::load(runtime, Named::of(endpoint, pipeline.map_or(Pins::None, Pins::Beside)), places)?;
    let description = connector.description();
    let schema = match endpoint.role {
        Role::Source => &description.source_schema,
        Role::Sink => &description.sink_schema,
        Role::Transform => &description.transform_schema,
    };
    schema.clone().ok_or_else(|| {
        let (name, role) = (&description.name, endpoint.role.as_str());
        Failure::usage(format!("the connector {name:?} can't be a {role}"))
    })
}

/// A pipeline between the address and an empty folder, of which the address's end alone is reached.
fn check(name: &str, role: Role, places: &Places) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::could_not_go_on(format!("can't make a folder to check: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let other = if role == Role::Source { "sink" } else { "source" };
    let pipeline = format!("address-check-{}", std::process::id());
    let (role_name, empty) = (role.as_str(), Value::from(folder.path().to_string_lossy()));
    let text = format!(
        "name = \"{pipeline}\"\n[tunnel]\n[{role_name}]\naddress = \"{name}\"\n[{other}]\nconnector = \"local\"\npath = {empty}\n"
    );
    let file = folder.path().join("check.toml");
    std::fs::write(&file, text).map_err(failed)?;
    let assembly = assemble(&file, places)?;
    // It's no pipeline of the user's.
    let _ = std::fs::remove_dir_all(&assembly.state);
    let ends = assembly.ends(MissingFolder::StandIn)?;
    let checked = LocalSet::new().block_on(&runtime()?, async {
        if role == Role::Source { ends.source.source().check().await } else { ends.sink.check().await }
    });
    match checked {
        Ok(()) => {
            output::line(&format!("address {name}: ok"));
            Ok(Exit::Done)
        }
        Err(error) => {
            output::line(&format!("address {name}: {error}"));
            Ok(Exit::CouldNotGoOn)
        }
    }
}

fn word(address: &Address) -> &'static str {
    Role::from(address.role).as_str()
}

fn described(name: &str, address: &Address) -> Value {
    json!({"address": name, "role": address.role, "table": address.table})
}
