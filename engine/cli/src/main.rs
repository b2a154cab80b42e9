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

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Arguments, exit::Exit};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing to be done where the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    logging::start(&arguments.logging);
    match command::execute(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::error(&failure);
            failure.exit.into()
        }
    }
}
