//! Events as JSON, one object a line. Names are those of the summary and of the contract; they're
//! documented in the README and only ever added to.

use culvert_flow::run::{Event, Grade, Plan, State, Summary, Tally};
use serde_json::{Value, json};

use super::Run;

/// None for what the summary line says.
pub(super) fn event(run: &Run, event: &Event) -> Option<Value> {
    Some(match event {
        Event::RunStarted => json!({"event": "started", "run": run.id, "pipeline": run.pipeline, "round": run.round}),
        Event::Swept { removed } => json!({"event": "swept", "removed": removed}),
        Event::ObjectMoved { key, bytes, grade, attempts } => {
            json!({"event": "moved", "key": key.as_str(), "bytes": bytes, "verified": grade.map(grade_word), "attempts": attempts})
        }
        Event::ObjectSkipped { key, reason } => {
            json!({"event": "skipped", "key": key.as_str(), "reason": reason.to_string()})
        }
        Event::ObjectDeleted { key } => json!({"event": "deleted", "key": key.as_str()}),
        Event::NothingDeleted { reason } => json!({"event": "nothing-deleted", "reason": reason}),
        Event::ObjectFailed { name, error, attempts } => json!({
            "event": "failed", "key": name, "operation": error.operation, "code": error.code.as_str(),
            "message": error.message, "attempts": attempts,
        }),
        Event::ObjectPlanned { key, bytes, overwrites, reason } => json!({
            "event": "planned", "key": key.as_str(), "bytes": bytes, "overwrites": overwrites,
            "reason": reason.to_string(),
        }),
        Event::Retry { key, part, error, attempt, pause } => json!({
            "event": "retry", "key": key.as_ref().map(|key| key.as_str()), "part": part, "code": error.code.as_str(),
            "operation": error.operation, "message": error.message, "attempt": attempt, "pause_seconds": pause.as_secs_f64(),
        }),
        Event::ListingFailed { folder, error } => json!({
            "event": "listing-failed", "folder": folder.as_ref().map(|folder| folder.as_str()),
            "code": error.code.as_str(), "message": error.message,
        }),
        Event::RunFinished(_) => return None,
    })
}

pub(super) fn summary(run: &Run, summary: &Summary) -> Value {
    let mut line = json!({
        "event": "summary",
        "run": run.id,
        "pipeline": run.pipeline,
        "round": run.round,
        "state": state_word(&summary.state),
        "objects": {
            "listed": summary.listed, "moved": summary.moved, "skipped": summary.skipped,
            "failed": summary.failed, "deleted": summary.deleted, "repaired": summary.repaired,
        },
        "bytes": {"moved": summary.bytes_moved},
        "retries": summary.retries,
        "seconds": summary.seconds,
    });
    add_error(&mut line, &summary.state);
    line
}

pub(super) fn plan(run: &Run, plan: &Plan) -> Value {
    let tally = |tally: Tally| json!({"objects": tally.objects, "bytes": tally.bytes});
    let mut line = json!({
        "event": "plan",
        "pipeline": run.pipeline,
        "state": state_word(&plan.state),
        "listed": plan.listed,
        "move": tally(plan.moves),
        "overwrite": tally(plan.overwrites),
        "skip": tally(plan.skips),
        "failed": plan.failed,
    });
    add_error(&mut line, &plan.state);
    line
}

fn add_error(line: &mut Value, state: &State) {
    if let State::Failed(error) = state {
        line["error"] = json!({"code": error.code.as_str(), "operation": error.operation, "message": error.message});
    }
}

pub(super) fn state_word(state: &State) -> &'static str {
    match state {
        State::Finished => "finished",
        State::Interrupted => "interrupted",
        State::Failed(_) => "failed",
    }
}

fn grade_word(grade: Grade) -> &'static str {
    match grade {
        Grade::Checksum(algorithm) | Grade::Reread(algorithm) => algorithm.as_str(),
        Grade::Size => "size",
    }
}
