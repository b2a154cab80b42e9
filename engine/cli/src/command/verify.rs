//! `engine verify`: holds a sink, and if wanted its source, against the journal. Writes nothing at
//! either end and repairs nothing.

use std::{process, sync::Arc};

use culvert_flow::{
    meter::Meter,
    run::{Grade, State, ThreadPerWorker},
    sync::Cancel,
    verify::{Checked, Findings, Verdict, Verification, verify_both, verify_sink},
};
use indicatif::HumanBytes;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use super::run::{runtime, signals::Signals};
use crate::{
    args::{Places, Verify as Asked},
    assembly::{Assembly, Ends, MissingFolder, assemble, seed},
    exit::{Exit, Failure},
    output::{self, one_line},
    report::list::grade,
};

/// # Errors
/// The pipeline is wrong, or it never ran.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let assembly = assemble(&asked.pipeline.pipeline.file, places)?;
    if !assembly.journal().exists() {
        let name = &assembly.pipeline.name;
        return Err(Failure::could_not_go_on(format!(
            "nothing is known of the pipeline {name:?} here: it hasn't run yet, so there is nothing to verify"
        )));
    }
    let ends = assembly.ends(MissingFolder::StandIn)?;
    let runtime = runtime()?;
    let findings = LocalSet::new().block_on(&runtime, verify(asked, &assembly, ends))?;
    if asked.pipeline.json {
        output::line(&summary(&assembly, &findings).to_string());
    } else {
        output::line(&text(&findings));
    }
    Ok(exit(&findings))
}

async fn verify(asked: &Asked, assembly: &Assembly, ends: Ends) -> Result<Findings, Failure> {
    let mut signals = Signals::new()?;
    let transfer = &assembly.pipeline.transfer;
    let (cancel, json) = (Cancel::new(), asked.pipeline.json);
    let verification = Verification {
        journal: assembly.journal(),
        reread: asked.reread,
        checksums: Vec::new(),
        workers: transfer.workers,
        attempts: transfer.attempts,
        max_backoff: transfer.max_backoff,
        tunnel: assembly.tunnel.clone(),
        meter: Arc::new(Meter::new(transfer.workers.get())),
        events: Arc::new(move |checked| tell(&checked, json)),
        cancel: cancel.clone(),
        seed: seed(),
    };
    let Ends { source, sink, .. } = ends;
    let (source, sink) = (Arc::new(source), Arc::new(sink));
    let verifying = async {
        if asked.source {
            verify_both(verification, source, sink, &ThreadPerWorker).await
        } else {
            verify_sink(verification, sink, &ThreadPerWorker).await
        }
    };
    let mut verifying = std::pin::pin!(verifying);
    loop {
        tokio::select! {
            findings = &mut verifying => return Ok(findings),
            () = signals.next() => {
                if cancel.is_cancelled() {
                    process::exit(Exit::Interrupted as i32);
                }
                cancel.cancel();
            }
        }
    }
}

/// What isn't all right gets a line. Called from the workers' threads.
fn tell(checked: &Checked, json: bool) {
    let Checked { key, verdict, .. } = checked;
    if *verdict == Verdict::Ok {
        return;
    }
    if !json {
        let why = if let Verdict::Failed(error) = verdict { format!(": {error}") } else { String::new() };
        return output::line(&format!("{:<9} {}{}", verdict.as_str(), one_line(key.as_str()), one_line(&why)));
    }
    let mut line = json!({
        "event": "checked", "key": key.as_str(), "verdict": verdict.as_str(), "whole": verdict.is_whole(),
        "grade": checked.grade.map(|proof: Grade| grade(proof)),
    });
    if let Verdict::Failed(error) = verdict {
        line["code"] = error.code.as_str().into();
        line["message"] = error.message.as_str().into();
    }
    output::line(&line.to_string());
}

fn summary(assembly: &Assembly, findings: &Findings) -> Value {
    let mut summary = json!({
        "event": "findings",
        "pipeline": assembly.pipeline.name,
        "state": state(findings),
        "checked": findings.checked, "ok": findings.ok, "missing": findings.missing, "kind": findings.kind,
        "size": findings.size, "checksum": findings.checksum, "changed": findings.changed, "gone": findings.gone,
        "failed": findings.failed, "bytes_read": findings.bytes_read, "seconds": findings.seconds,
    });
    if let State::Failed(error) = &findings.state {
        summary["error"] = json!({"code": error.code.as_str(), "operation": error.operation, "message": error.message});
    }
    summary
}

fn text(findings: &Findings) -> String {
    let Findings { checked, ok, missing, kind, size, checksum, changed, gone, failed, bytes_read, seconds, .. } =
        findings;
    let mut text = format!("verification {} in {seconds:.1} s, {} read\n", state(findings), HumanBytes(*bytes_read));
    text.push_str(&format!("  checked  {checked}, all right {ok}\n"));
    text.push_str(&format!(
        "  sink     missing {missing}, of another kind {kind}, other size {size}, other checksum {checksum}\n"
    ));
    text.push_str(&format!("  source   changed {changed}, gone {gone}\n  failed   {failed}"));
    if let State::Failed(error) = &findings.state {
        text.push_str(&format!("\n  stopped  {}", one_line(&error.to_string())));
    }
    text
}

fn state(findings: &Findings) -> &'static str {
    match findings.state {
        State::Finished => "finished",
        State::Interrupted => "interrupted",
        State::Failed(_) => "failed",
    }
}

/// Whatever isn't as it was moved makes a difference, at the source too where that was asked about.
fn exit(findings: &Findings) -> Exit {
    match findings.state {
        State::Failed(_) => Exit::CouldNotGoOn,
        State::Interrupted => Exit::Interrupted,
        State::Finished if findings.ok < findings.checked => Exit::SomeFailed,
        State::Finished => Exit::Done,
    }
}
