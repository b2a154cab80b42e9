//! The rounds of a run: when each starts, and that it keeps to its window. Moves nothing itself.

use std::time::{Duration, SystemTime};

use culvert_flow::{
    run::State,
    schedule::{Round, next_start, opening, window_end},
};

use super::{Ended, Runner, signals::Signals};
use crate::exit::{Exit, Failure};

/// Longest sleep at a time: a clock that was put forward is noticed after so long.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Runs every round, and says how the worst of them ended.
///
/// # Errors
/// The first round couldn't start. A later one that can't is told and tried again at its time.
pub(super) async fn rounds(runner: &Runner<'_>, signals: &mut Signals) -> Result<Exit, Failure> {
    let schedule = &runner.assembly.pipeline.schedule;
    let mut worst = Exit::Done;
    let mut last: Option<Round> = None;
    while let Some(start) = next_start(SystemTime::now(), last, schedule) {
        if !sleep_until(start, signals).await {
            return Ok(Exit::Interrupted);
        }
        let number = last.map_or(1, |round| round.number.saturating_add(1));
        let round = Round { number, start: SystemTime::now() };
        let exit = match whole_round(runner, round, signals).await {
            Err(failure) if last.is_some() => {
                tracing::error!(round = number, %failure, "the round couldn't start");
                failure.exit
            }
            exit => exit?,
        };
        if exit == Exit::Interrupted {
            return Ok(exit);
        }
        worst = worst.worse(exit);
        last = Some(round);
    }
    Ok(worst)
}

/// One round, however many windows it takes.
async fn whole_round(runner: &Runner<'_>, round: Round, signals: &mut Signals) -> Result<Exit, Failure> {
    let schedule = &runner.assembly.pipeline.schedule;
    loop {
        let until = window_end(SystemTime::now(), schedule);
        let Ended { summary, by_window, report } = runner.run(round, until, signals).await?;
        if !by_window || summary.state != State::Interrupted {
            return Ok(super::exit(&summary).worse(report));
        }
        match opening(SystemTime::now(), schedule) {
            Some(start) if sleep_until(start, signals).await => {}
            _ => return Ok(Exit::Interrupted),
        }
    }
}

/// False if a signal came first.
async fn sleep_until(time: SystemTime, signals: &mut Signals) -> bool {
    let mut told = false;
    // By the wall clock: it may be put forward, and a machine may be suspended meanwhile.
    while let Ok(left) = time.duration_since(SystemTime::now()) {
        if left.is_zero() {
            break;
        }
        if !std::mem::replace(&mut told, true) && left > Duration::from_secs(1) {
            tracing::info!(seconds = left.as_secs(), "waiting for the next round");
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(MAX_SLEEP)) => {}
            () = signals.next() => return false,
        }
    }
    true
}
