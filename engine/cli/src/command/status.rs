//! `engine status`: every pipeline of this machine's state folder, and how its last run stands, also
//! while another process runs it. Changes nothing; a journal that can't be read is one line.

use std::{fs, path::Path};

use culvert_flow::{
    error::Code,
    journal::{Reader, RunRecord, RunState, held_by},
};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::{
    args::{Places, Status as Asked},
    exit::{Exit, Failure},
    folders,
    output::{self, one_line},
    report::{
        figures::{rate, seconds},
        list::rfc3339,
    },
};

/// One pipeline.
struct Standing {
    name: String,
    /// The process that holds the journal; 0 if it can't be told.
    holder: Option<u32>,
    /// None: it never ran.
    run: Option<RunRecord>,
}

/// # Errors
/// There is no state folder, or one of its journals can't be read; the others are shown.
pub(crate) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let folder = folders::pipelines(places)?;
    let mut names: Vec<_> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::could_not_go_on(format!("the state folder {}: {error}", folder.display()))),
    };
    names.sort();
    let (mut lines, mut exit) = (Vec::new(), Exit::Done);
    for name in names {
        let journal = folder.join(&name).join(folders::JOURNAL);
        if !journal.exists() {
            continue;
        }
        match standing(name.clone(), &journal) {
            Ok(standing) if asked.json => lines.push(standing.json()),
            Ok(standing) => output::line(&standing.text()),
            Err(error) => {
                exit = Exit::CouldNotGoOn;
                if asked.json {
                    lines.push(json!({"pipeline": name, "state": "unreadable", "error": error.message}));
                } else {
                    output::line(&format!("{name}  unreadable: {}", one_line(&error.message)));
                }
            }
        }
    }
    if asked.json {
        output::line(&Value::Array(lines).to_string());
    }
    Ok(exit)
}

fn standing(name: String, journal: &Path) -> Result<Standing, culvert_flow::error::Error> {
    let mut holder = held_by(journal)?;
    loop {
        let run = match Reader::open(journal) {
            // Somebody is about to begin.
            Err(error) if error.code == Code::NOT_FOUND => None,
            reader => reader?.last_run()?,
        };
        // A run that began or ended between the two looks would pass for one that was killed, or that waits.
        let still = held_by(journal)?;
        if still == holder {
            return Ok(Standing { name, holder, run });
        }
        holder = still;
    }
}

// === impl Standing ===

impl Standing {
    /// The run's state; `killed` where it's under way and nobody holds the journal, `waiting` where
    /// somebody does and its last round is over.
    fn state(&self) -> &'static str {
        match (&self.run, self.holder) {
            (None, None) => "new",
            (Some(run), None) if run.state == RunState::Running => "killed",
            (Some(run), Some(_)) if run.state != RunState::Running => "waiting",
            (Some(run), _) => run.state.as_str(),
            (None, Some(_)) => "waiting",
        }
    }

    fn json(&self) -> Value {
        let mut value = json!({"pipeline": self.name, "state": self.state(), "process": self.holder});
        if let Some(run) = &self.run {
            value["run"] = json!({
                "number": run.id,
                "round": run.round,
                "state": run.state.as_str(),
                "started": rfc3339(run.started),
                "updated": rfc3339(run.updated),
                "ended": run.ended.and_then(rfc3339),
                "seconds": seconds(run),
                "error": run.error,
                "objects": {
                    "listed": run.listed, "moved": run.moved, "skipped": run.skipped, "failed": run.failed,
                    "deleted": run.deleted, "repaired": run.repaired,
                },
                "bytes": {"moved": run.bytes_moved, "sent": run.bytes, "expected": run.bytes_expected},
                "bytes_per_second": rate(run),
                "retries": run.retries,
                "listing_done": run.listing_done,
            });
        }
        value
    }

    fn text(&self) -> String {
        let holder = self.holder.map_or_else(String::new, |process| format!(" (process {process})"));
        let mut text = format!("{}  {}{holder}", self.name, self.state());
        let Some(run) = &self.run else { return text };
        let since = rfc3339(run.ended.unwrap_or(run.started)).unwrap_or_default();
        let so_far = if run.listing_done { "" } else { " so far" };
        let (bytes, rate) = (HumanBytes(run.bytes_moved), HumanBytes(rate(run)));
        // Of one that's over they are the same.
        let expected = match run.bytes_expected.max(run.bytes_moved) {
            more if more > run.bytes_moved => format!(" of {}{so_far}", HumanBytes(more)),
            _ => String::new(),
        };
        text.push_str(&format!(
            ", round {} since {since}\n  listed {}{so_far}, moved {}, skipped {}, failed {}, deleted {}; {bytes}{expected}, {rate}/s",
            run.round, run.listed, run.moved, run.skipped, run.failed, run.deleted,
        ));
        if let Some(error) = &run.error {
            text.push_str(&format!("\n  stopped: {}", one_line(error)));
        }
        text
    }
}
