//! Events and summaries for people. Everything from outside is printed with its control characters
//! escaped.

use culvert_flow::{
    meter::Meter,
    run::{Event, Plan, State, Summary, Tally},
};
use indicatif::HumanBytes;

use super::{Run, json::state_word};

/// None for what isn't worth a line. `objects`: every object is.
pub(super) fn event(run: &Run, event: &Event, objects: bool) -> Option<String> {
    match event {
        Event::RunStarted => Some(format!("run {} of {} begins", run.id, run.pipeline)),
        Event::Swept { removed: 0 } => None,
        Event::Swept { removed } => Some(format!("removed  {removed} temporary files that an earlier run had left")),
        Event::NothingDeleted { reason } => Some(format!("kept     what the source doesn't have: {reason}")),
        Event::ObjectDeleted { key } if objects => Some(format!("{:<9}  {:>12}  {key}", "delete", "")),
        Event::ObjectFailed { name, error, attempts } => {
            let (name, operation, message, code) = (one_line(name), error.operation, &error.message, &error.code);
            Some(format!("failed  {name}: {operation}: {message} ({code}), {attempts} attempts"))
        }
        Event::ListingFailed { folder, error } => {
            let folder = folder.as_ref().map_or_else(|| "the root".to_owned(), ToString::to_string);
            Some(format!("failed  listing of {folder}: {} ({})", error.message, error.code))
        }
        Event::ObjectPlanned { key, bytes, overwrites, reason } if objects => {
            let word = if *overwrites { "overwrite" } else { "move" };
            let size = HumanBytes(*bytes).to_string();
            Some(format!("{word:<9}  {size:>12}  {key} ({reason})"))
        }
        Event::ObjectSkipped { key, reason } if objects => Some(format!("{:<9}  {:>12}  {key} ({reason})", "skip", "")),
        Event::Retry { key, error, attempt, pause, .. } => {
            tracing::info!(key = key.as_ref().map(|key| key.as_str()), %error, attempt, ?pause, "trying again");
            None
        }
        _ => None,
    }
}

pub(super) fn progress(meter: &Meter) -> String {
    let listing = if meter.listing_done.load(std::sync::atomic::Ordering::Relaxed) { "" } else { " so far" };
    format!(
        "moved {} of {} objects{listing}, {}; skipped {}, failed {}",
        meter.moved.get(),
        meter.listed.get(),
        HumanBytes(meter.bytes_moved.get()),
        meter.skipped.get(),
        meter.failed.get(),
    )
}

pub(super) fn summary(run: &Run, summary: &Summary) -> String {
    let Summary { listed, moved, skipped, failed, deleted, repaired, bytes_moved, retries, seconds, state } = summary;
    let rate = if *seconds > 0.0 { rate(*bytes_moved, *seconds) } else { String::new() };
    let mut text = format!("run {} {} in {seconds:.1} s\n", run.id, state_word(state));
    text.push_str(&format!("  moved    {moved} objects, {}{rate}\n", HumanBytes(*bytes_moved)));
    text.push_str(&format!("  skipped  {skipped}\n  failed   {failed}\n"));
    text.push_str(&format!("  listed   {listed}, deleted {deleted}, repaired {repaired}, retries {retries}"));
    if let State::Failed(error) = state {
        text.push_str(&format!("\n  stopped  {error}"));
    }
    text
}

pub(super) fn plan(plan: &Plan) -> String {
    let tally =
        |word: &str, tally: Tally| format!("  {word:<9}  {} objects, {}\n", tally.objects, HumanBytes(tally.bytes));
    let mut text = format!("plan {}: {} objects listed\n", state_word(&plan.state), plan.listed);
    text.push_str(&tally("move", plan.moves));
    text.push_str(&tally("overwrite", plan.overwrites));
    text.push_str(&tally("skip", plan.skips));
    text.push_str(&format!("  failed     {}", plan.failed));
    if let State::Failed(error) = &plan.state {
        text.push_str(&format!("\n  stopped    {error}"));
    }
    text
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people: three digits of it are shown"
)]
fn rate(bytes: u64, seconds: f64) -> String {
    format!(" ({}/s)", HumanBytes((bytes as f64 / seconds) as u64))
}

/// A line break in a name must not look like a line of the engine's.
pub(crate) fn one_line(name: &str) -> String {
    name.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// What all machines of a fleet did; nothing is known of it where the run goes on without this one.
pub(super) fn fleet(fleet: &serde_json::Value) -> String {
    let figure = |name: &str| fleet["objects"][name].as_u64();
    let (Some(listed), Some(moved), Some(skipped), Some(failed)) =
        (figure("listed"), figure("moved"), figure("skipped"), figure("failed"))
    else {
        return "all machines: not known yet".to_owned();
    };
    let report = if fleet["ended_here"] == true { "the report is here" } else { "the report is where it was ended" };
    format!("all machines: listed {listed}, moved {moved}, skipped {skipped}, failed {failed}; {report}")
}
