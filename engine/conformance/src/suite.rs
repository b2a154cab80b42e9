//! Runs the cases that apply, one after the other, says why the others don't, and cleans up.

use std::time::Instant;

use crate::{
    bench::Bench,
    case::{Case, Fault, Need, Outcome},
    cases,
    report::{Ended, Report, Verdict},
    subject::Subject,
};

/// The name of what runs last: that nothing is left.
const LEAVES_NOTHING: &str = "leaves-nothing";
const ABOUT_LEAVING: &str = "all that the suite wrote can be deleted, and a listing shows nothing of it";

/// Every case's name, in the order in which they run.
pub fn names<S: Subject>() -> Vec<&'static str> {
    let named = cases::all::<S>().into_iter().flat_map(|(_, cases)| cases).map(|case| case.name);
    named.chain([LEAVES_NOTHING]).collect()
}

/// Runs the cases whose name begins with one of `only`, all without any. `told` hears of each as it ends.
/// Needs a `LocalSet` where the connector's instances do.
pub async fn run<S: Subject>(subject: &S, only: &[String], seed: u64, mut told: impl FnMut(&Ended)) -> Report {
    let bench = Bench::new(subject, seed);
    let is_asked = |name: &str| only.is_empty() || only.iter().any(|only| name.starts_with(only.as_str()));
    bench.look_around().await;
    let mut ended = Vec::new();
    for (theme, cases) in cases::all::<S>() {
        for case in cases.iter().filter(|case| is_asked(case.name)) {
            let begin = Instant::now();
            let outcome = match lacking(&bench, case) {
                Some(why) => Err(Fault::NotApplicable(why)),
                None => (case.run)(&bench).await,
            };
            let seconds = begin.elapsed().as_secs_f64();
            if matches!(outcome, Err(Fault::Failed(_))) {
                bench.tidy().await;
            }
            // What can't be removed now is tried again, and told, at the end.
            let _ = bench.clean().await;
            let it = end(theme, case, outcome, seconds);
            told(&it);
            ended.push(it);
        }
    }
    let begin = Instant::now();
    let verdict = verdict(leaves_nothing(&bench).await);
    let seconds = begin.elapsed().as_secs_f64();
    let it = Ended { theme: "cleaning", name: LEAVES_NOTHING, about: ABOUT_LEAVING, verdict, seconds };
    told(&it);
    ended.push(it);
    let description = subject.description().clone();
    Report { description, seed, root: bench.root.clone(), ended }
}

fn end<S: Subject>(theme: &'static str, case: &Case<S>, outcome: Outcome, seconds: f64) -> Ended {
    Ended { theme, name: case.name, about: case.about, verdict: verdict(outcome), seconds }
}

fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Ok(remark) => Verdict::Passed(remark),
        Err(Fault::Failed(why)) => Verdict::Failed(why),
        Err(Fault::NotApplicable(why)) => Verdict::NotApplicable(why),
    }
}

/// What a case needs that isn't there; none if it applies.
fn lacking<S: Subject>(bench: &Bench<'_, S>, case: &Case<S>) -> Option<String> {
    case.needs.iter().find_map(|need| missing(bench, *need))
}

fn missing<S: Subject>(bench: &Bench<'_, S>, need: Need) -> Option<String> {
    let subject = bench.subject;
    let no_sink = || "no [sink] is given".to_owned();
    match need {
        Need::Reader if bench.reader_kind().is_none() => {
            Some("no [source] is given, and the sink has no \"read-back\" capability".to_owned())
        }
        Need::Sink if subject.sink().is_none() => Some(no_sink()),
        Need::Both if subject.sink().is_none() => Some(no_sink()),
        Need::Both if bench.proof().is_none() => Some(
            "nothing reads what the sink has: no \"read-back\" capability, and no [source] at the same place"
                .to_owned(),
        ),
        Need::Reads(word) if !bench.reader_capabilities().is_some_and(|it| it.has(word)) => {
            Some(format!("no {word:?} capability"))
        }
        Need::Writes(word) => match subject.sink() {
            None => Some(no_sink()),
            Some(capabilities) if !capabilities.has(word) => Some(format!("no {word:?} capability")),
            Some(_) => None,
        },
        Need::WritesWithout(word) if subject.sink().is_some_and(|it| it.has(word)) => {
            Some(format!("the sink has the capability {word:?}"))
        }
        Need::Denied if !subject.has_denied() => Some("no --denied FILE is given".to_owned()),
        _ => None,
    }
}

async fn leaves_nothing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if bench.subject.sink().is_none() {
        return Err(Fault::NotApplicable("no [sink] is given: nothing was written".to_owned()));
    }
    let stranger = async { culvert_flow::sink::Sink::sweep(&mut bench.stranger().await?, &[]).await };
    stranger.await?;
    bench.clean().await?;
    bench.leave().await?;
    bench.is_clean("at the end").await?;
    if bench.writes_what_it_reads() {
        let seen = bench.seen(&mut bench.reader().await?).await?;
        let left: Vec<_> = seen.objects.keys().take(3).collect();
        if !left.is_empty() {
            return Err(Fault::Failed(format!("expected nothing in the suite's folder, got {left:?}")));
        }
    }
    Ok(String::new())
}
