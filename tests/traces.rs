//! OpenTelemetry traces on request: the tree of a run's spans as a collector decodes them, and runs that a
//! collector can't slow down or fail.

mod collectors;
mod tree;

use std::{fs, path::Path, process::Command};

use crate::harness::{
    Ended, Scratch,
    otlp::{Collector, Span},
    tree::{Random, Snapshot},
};

/// Larger than what moves together, so that each is an object of its own.
const ALONE: usize = 200_000;

/// A run with traces.
fn run(scratch: &Scratch, pipeline: &Path, collector: &Collector, more: &[&str]) -> Ended {
    let run = ["run", "--json", pipeline.to_str().unwrap(), "--trace-otlp", &collector.url()];
    scratch.engine(&[&run, more].concat())
}

/// Writes the source's files, and says what's there.
fn fill(scratch: &Scratch, files: &[(&str, usize)]) -> Snapshot {
    let source = scratch.path("source");
    Random::seeded().fill(&source, []);
    fs::create_dir_all(&source).unwrap();
    for (name, size) in files {
        let bytes: Vec<u8> = (0..*size).map(|index| u8::try_from(index % 251).unwrap()).collect();
        fs::write(source.join(name), bytes).unwrap();
    }
    Snapshot::of(&source)
}

/// The beginning of a key's SHA-256, by another program.
fn hash(key: &str) -> String {
    let output = Command::new("sh").args(["-c", "printf %s \"$1\" | sha256sum", "sh", key]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..16].to_owned()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn children<'a>(spans: &'a [Span], parent: &Span, name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.parent == parent.id && span.name == name).collect()
}

fn operations(spans: &[Span], parent: &Span) -> Vec<String> {
    let calls = children(spans, parent, "call").into_iter();
    let mut calls: Vec<_> = calls.map(|it| (it.nanos.0, it.get("culvert.operation").to_owned())).collect();
    calls.sort();
    calls.into_iter().map(|(_, operation)| operation).collect()
}
