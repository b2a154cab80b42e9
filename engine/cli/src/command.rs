//! One module for each command.

mod address;
mod agent;
mod apply;
mod check;
mod completions;
mod connector;
mod plan;
mod report;
mod run;
mod schema;
mod status;
mod task;
mod top;
mod tunnel;
mod validate;
mod verify;

use crate::{
    args::{Arguments, Command},
    exit::{Exit, Failure},
};

/// Runs the command that was asked for.
///
/// # Errors
/// It ended before its work.
pub(crate) fn execute(arguments: Arguments) -> Result<Exit, Failure> {
    let places = &arguments.places;
    match &arguments.command {
        Command::Run(asked) => run::execute(asked, places),
        Command::Plan(asked) => plan::execute(asked, places),
        Command::Report(asked) => report::execute(asked, places),
        Command::Status(asked) => status::execute(asked, places),
        Command::Top(asked) => top::execute(asked, places),
        Command::Verify(asked) => verify::execute(asked, places),
        Command::Validate(asked) => validate::execute(asked, places),
        Command::Check(asked) => check::execute(asked, places),
        Command::Schema => schema::execute(places),
        Command::Completions { shell } => completions::execute(*shell),
        Command::Connector(asked) => connector::execute(asked, places),
        Command::Tunnel(asked) => tunnel::execute(asked, places),
        Command::Agent(asked) => agent::execute(asked, places),
        Command::Address(asked) => address::execute(asked, places),
        Command::Apply(asked) => apply::execute(asked, places),
        Command::Task(asked) => task::execute(asked, places),
    }
}
