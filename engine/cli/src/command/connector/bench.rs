//! `engine connector bench`: a connector and another one, measured in turns, and their medians. Says
//! figures and judges none.

mod gauge;

use std::{fs, path::Path, time::Duration};

use culvert_conformance::{Sizes, Subject, Took, measure};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use self::gauge::Process;
use super::super::run::runtime;
use crate::{
    args::{Places, connector::Bench as Asked},
    assembly::{
        seed,
        trial::{Trial, assemble},
    },
    exit::{Exit, Failure},
    output,
};

/// The stock connector that needs nothing but a folder.
const LOCAL: &str = "local";
const MIB: usize = 1 << 20;
/// Bytes of a small object: a block of most file systems.
const SMALL_BYTES: usize = 4096;

/// One of the two, and what each of its rounds took.
struct Contender {
    trial: Trial,
    rounds: Vec<Vec<Took>>,
}

/// Medians of a case.
struct Median {
    name: &'static str,
    bytes: u64,
    objects: u64,
    wall: Duration,
    cpu: Duration,
    memory: u64,
}

/// # Errors
/// The tables are wrong, or a store failed while it was measured.
pub(super) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let seed = seed();
    let trial = assemble(&asked.connector, &asked.file, None, seed, places)?;
    let (other, _folder) = other(asked, &trial, seed, places)?;
    let mut both = [trial, other].map(|trial| Contender { trial, rounds: Vec::new() });
    let sizes = Sizes { large: asked.large, objects: asked.objects as usize, small: SMALL_BYTES };
    let runtime = runtime()?;
    let gauge = Process::new();
    // One round before the first that counts touches the memory and fills the caches.
    for round in 0..=asked.rounds {
        for contender in &mut both {
            let measuring = measure(&contender.trial, sizes, seed.wrapping_add(round.into()), &gauge);
            let took = LocalSet::new()
                .block_on(&runtime, measuring)
                .map_err(|why| Failure::could_not_go_on(format!("{}: {why}", contender.trial.description().name)))?;
            if round > 0 {
                contender.rounds.push(took);
            }
        }
    }
    show(asked, &both);
    Ok(Exit::Done)
}

/// Whom it's measured beside: with tables of its own, with the same, or in a folder that's removed.
fn other(
    asked: &Asked,
    trial: &Trial,
    seed: u64,
    places: &Places,
) -> Result<(Trial, Option<tempfile::TempDir>), Failure> {
    if let Some(file) = &asked.against_file {
        return Ok((assemble(&asked.against, file, None, seed, places)?, None));
    }
    match assemble(&asked.against, &asked.file, None, seed, places) {
        Ok(other) => Ok((other, None)),
        Err(_) if asked.against == LOCAL => {
            let failed = |error: std::io::Error| Failure::could_not_go_on(format!("a temporary folder: {error}"));
            let folder = tempfile::tempdir().map_err(failed)?;
            let file = folder.path().join("tables.toml");
            fs::write(&file, tables(trial, &folder.path().join("store"))?).map_err(failed)?;
            Ok((assemble(LOCAL, &file, None, seed, places)?, Some(folder)))
        }
        Err(failure) => Err(failure),
    }
}

/// The ends that the other one has, at a folder; it's filled where nothing would be put there.
fn tables(trial: &Trial, store: &Path) -> Result<String, Failure> {
    let _ = fs::create_dir_all(store);
    let path = toml_text(store);
    let mut text = format!("[sink]\npath = {path}\n");
    if trial.source().is_some() {
        text.push_str(&format!("[source]\npath = {path}\n"));
    }
    Ok(text)
}

/// A path as TOML has it; JSON's strings are TOML's.
fn toml_text(path: &Path) -> String {
    Value::from(path.to_string_lossy()).to_string()
}

fn show(asked: &Asked, both: &[Contender; 2]) {
    let [ours, theirs] = both.each_ref().map(|it| it.medians());
    if asked.json {
        let of = |contender: &Contender, medians: &[Median]| {
            let it = contender.trial.description();
            json!({
                "name": it.name, "version": it.version, "sha256": it.digest,
                "cases": medians.iter().map(Median::as_json).collect::<Vec<_>>(),
            })
        };
        let report = json!({
            "rounds": asked.rounds, "connector": of(&both[0], &ours), "against": of(&both[1], &theirs),
            "cpu_ratios": ours.iter().filter_map(|it| Some(json!({"case": it.name, "ratio": it.ratio(&theirs)?}))).collect::<Vec<_>>(),
        });
        return output::line(&format!("{report:#}"));
    }
    let names = both.each_ref().map(|it| it.trial.description().name.clone());
    output::line(&format!(
        "{:<10}  {:<20}  {:>12}  {:>16}  {:>11}  {:>9}",
        "case", "connector", "throughput", "CPU time", "memory", "CPU ratio"
    ));
    for it in &ours {
        let other = theirs.iter().find(|other| other.name == it.name);
        output::line(&it.line(&names[0], it.ratio(&theirs)));
        if let Some(other) = other {
            output::line(&other.line(&names[1], None));
        }
    }
}

// === impl Contender ===

impl Contender {
    fn medians(&self) -> Vec<Median> {
        let names = self.rounds.first().into_iter().flatten().map(|took| took.name);
        names.filter_map(|name| self.median(name)).collect()
    }

    fn median(&self, name: &str) -> Option<Median> {
        let all: Vec<&Took> = self.rounds.iter().flatten().filter(|took| took.name == name).collect();
        let first = all.first()?;
        let middle = |mut values: Vec<Duration>| {
            values.sort();
            values[values.len() / 2]
        };
        Some(Median {
            name: first.name,
            bytes: first.bytes,
            objects: first.objects,
            wall: middle(all.iter().map(|took| took.wall).collect()),
            cpu: middle(all.iter().map(|took| took.cpu).collect()),
            memory: all.iter().map(|took| took.memory).max().unwrap_or_default(),
        })
    }
}

// === impl Median ===

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
impl Median {
    /// CPU time as a multiple of the other one's, for as many bytes or objects.
    fn ratio(&self, others: &[Self]) -> Option<f64> {
        let other = others.iter().find(|other| other.name == self.name)?;
        let each = |it: &Self| it.cpu.as_secs_f64() / it.amount();
        Some(each(self) / each(other))
    }

    /// In GiB where there's one object, in objects where there are many.
    fn amount(&self) -> f64 {
        if self.objects == 1 { self.bytes as f64 / f64::from(1 << 30) } else { self.objects as f64 }
    }

    fn line(&self, connector: &str, ratio: Option<f64>) -> String {
        let (wall, cpu) = (self.wall.as_secs_f64(), self.cpu.as_secs_f64() / self.amount());
        let (throughput, cpu) = if self.objects == 1 {
            (format!("{:.0} MiB/s", self.bytes as f64 / MIB as f64 / wall), format!("{cpu:.3} s/GiB"))
        } else {
            (format!("{:.0}/s", self.objects as f64 / wall), format!("{:.0} µs/object", cpu * 1e6))
        };
        let memory = format!("{:.1} MiB", self.memory as f64 / MIB as f64);
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let line = format!("{:<10}  {connector:<20}  {throughput:>12}  {cpu:>16}  {memory:>11}  {ratio:>9}", self.name);
        line.trim_end().to_owned()
    }

    fn as_json(&self) -> Value {
        json!({
            "case": self.name, "bytes": self.bytes, "objects": self.objects,
            "wall_seconds": self.wall.as_secs_f64(), "cpu_seconds": self.cpu.as_secs_f64(), "memory_bytes": self.memory,
        })
    }
}
