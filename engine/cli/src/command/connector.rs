//! `engine connector`: what connectors there are and what one is, in words for a reviewer; whether it keeps
//! the contract; and a project for a new one.

mod bench;
mod inspect;
mod new;
mod pull;
mod push;
mod test;

use culvert_host::loader::Connector;
use serde_json::Value;

use crate::{
    args::{Places, connector::Connector as Asked},
    assembly::runtime,
    connectors,
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// The connector can't be loaded.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    match asked {
        Asked::New(asked) => new::execute(asked),
        Asked::Pull(asked) => pull::execute(asked, places),
        Asked::Push(asked) => push::execute(asked, places),
        Asked::Test(asked) => test::execute(asked, places),
        Asked::Bench(asked) => bench::execute(asked, places),
        Asked::Inspect(asked) => inspect::execute(asked, places),
        Asked::List { json } => {
            let runtime = runtime(places)?;
            let builtins = culvert_builtin::BUILTINS.iter().map(|builtin| connectors::built_in(&runtime, builtin.name));
            let loaded: Vec<Connector> = builtins.collect::<Result<_, _>>()?;
            list(&loaded, *json);
            Ok(Exit::Done)
        }
    }
}

fn list(loaded: &[Connector], as_json: bool) {
    if as_json {
        return output::line(&format!("{:#}", Value::from_iter(loaded.iter().map(inspect::described))));
    }
    output::line(&format!("{:<12}  {:<10}  {:<12}  {}", "name", "version", "roles", "sha256"));
    for connector in loaded {
        let (it, digest) = (connector.description(), &connector.digest()[..16]);
        let roles = inspect::roles(connector);
        output::line(&format!("{:<12}  {:<10}  {roles:<12}  {digest}", it.name, it.version));
    }
}
