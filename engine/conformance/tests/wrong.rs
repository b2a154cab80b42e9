//! A store in memory that keeps the contract passes every case, and one that breaks a single rule is
//! caught by the case that's meant for it. Each crime names that case, and those that can't but fail
//! with it.
#![allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]

#[path = "wrong/crimes.rs"]
mod crimes;
#[path = "wrong/listing.rs"]
mod listing;
#[path = "wrong/sink.rs"]
mod sink;
#[path = "wrong/source.rs"]
mod source;
#[path = "wrong/store.rs"]
mod store;
#[path = "wrong/uploads.rs"]
mod uploads;

use std::collections::{BTreeMap, BTreeSet};

use culvert_conformance::{Report, Verdict, names, run};
use tokio::task::LocalSet;

use crate::{
    crimes::{CRIMES, Crime},
    store::Memory,
};

/// The same bytes each time.
const SEED: u64 = 9;

fn tried(crime: &'static str) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let memory = Memory::new(crime);
    LocalSet::new().block_on(&runtime, run(&memory, &[], SEED, |_| {}))
}

fn failed(report: &Report) -> BTreeMap<&'static str, String> {
    let failed = report.ended.iter().filter_map(|it| match &it.verdict {
        Verdict::Failed(why) => Some((it.name, why.clone())),
        _ => None,
    });
    failed.collect()
}

#[test]
fn an_honest_store_passes_every_case() {
    let report = tried("none");
    for it in &report.ended {
        // What two things of a store can't both be true of.
        assert!(matches!(it.verdict, Verdict::Passed(_)), "{}: {:?}", it.name, it.verdict);
    }
    assert_eq!(report.ended.len(), names::<Memory>().len());
}

#[test]
fn every_case_has_a_crime() {
    let caught: BTreeSet<_> = CRIMES.iter().map(|crime| crime.case).collect();
    let without: Vec<_> = names::<Memory>().into_iter().filter(|name| !caught.contains(name)).collect();
    assert!(without.is_empty(), "no crime for {without:?}");
}

#[test]
fn every_crime_is_caught_by_its_case() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(crime) = CRIMES.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let found = judged(crime);
                    if let Some(found) = &found {
                        eprintln!("{found}");
                    }
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with how the suite judged it; none if it was caught by its case and no other.
fn judged(crime: &Crime) -> Option<String> {
    let failed = failed(&tried(crime.name));
    let expected: BTreeSet<_> = [crime.case].into_iter().chain(crime.also.iter().copied()).collect();
    let names: BTreeSet<_> = failed.keys().copied().collect();
    (names != expected).then(|| format!("{}: expected {expected:?}, got {failed:#?}", crime.name))
}
