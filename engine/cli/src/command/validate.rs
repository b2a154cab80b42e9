//! `engine validate`: whether a pipeline file could be run, without reaching a store.

use crate::{
    args::{File, Places},
    assembly::assemble,
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// All that is wrong with the file.
pub(crate) fn execute(asked: &File, places: &Places) -> Result<Exit, Failure> {
    let assembly = assemble(&asked.file, places)?;
    output::line(&format!("{}: the pipeline {:?} is valid", asked.file.display(), assembly.pipeline.name));
    Ok(Exit::Done)
}
