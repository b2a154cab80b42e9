//! `engine check`: reaches both ends and proves what a run needs of them. Leaves nothing behind.

use culvert_flow::error::Error;
use serde_json::json;
use tokio::task::LocalSet;

use super::run::runtime;
use crate::{
    args::{Pipeline as Asked, Places},
    assembly::{MissingFolder, assemble},
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// The pipeline is wrong.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let assembly = assemble(&asked.pipeline.file, places)?;
    let ends = assembly.ends(MissingFolder::StandIn)?;
    let (source, sink) =
        LocalSet::new().block_on(&runtime()?, async { (ends.source.source().check().await, ends.sink.check().await) });
    let later =
        assembly.missing_sink_folder().map(|folder| format!("{} isn't there yet; a run makes it", folder.display()));
    show("source", &source, None, asked.json);
    show("sink", &sink, later.as_deref(), asked.json);
    Ok(if source.is_ok() && sink.is_ok() { Exit::Done } else { Exit::CouldNotGoOn })
}

fn show(role: &str, checked: &Result<(), Error>, remark: Option<&str>, as_json: bool) {
    if as_json {
        let error = checked.as_ref().err().map(|error| json!({"code": error.code.as_str(), "message": error.message}));
        let event = json!({"event": "check", "role": role, "ok": checked.is_ok(), "remark": remark, "error": error});
        return output::line(&event.to_string());
    }
    match (checked, remark) {
        (Ok(()), None) => output::line(&format!("{role:<6}  ok")),
        (Ok(()), Some(remark)) => output::line(&format!("{role:<6}  ok ({remark})")),
        (Err(error), _) => output::line(&format!("{role:<6}  {error}")),
    }
}
