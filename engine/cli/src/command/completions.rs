//! `engine completions`: what a shell needs to complete the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    args::Arguments,
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// None.
pub(crate) fn execute(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "engine", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
