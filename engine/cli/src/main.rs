//! The `engine` command: arguments in, one command run, an exit code out. Moves nothing itself.

mod args;
mod assembly;
mod command;
mod connectors;
mod exit;
mod fleet;
mod folders;
mod inventory;
mod logging;
mod metrics;
mod network;
mod output;
mod report;
mod seat;
mod server;
mod shared;
mod table;
mod traces;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    args::Arguments,
    exit::{Exit, Failure},
    traces::Traces,
};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing to be done where the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let traces = match arguments.command.tracing().map_or(Ok(None), Traces::start) {
        Ok(traces) => traces,
        Err(failure) => return fail(&failure),
    };
    logging::start(&arguments.logging, traces.as_ref());
    let executed = command::execute(arguments);
    if let Some(traces) = traces {
        traces.end();
    }
    match executed {
        Ok(exit) => exit.into(),
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    output::error(failure);
    failure.exit.into()
}
