//! Connectors in a registry: pushed, pulled, pinned, kept; and what a registry, the way to it or this disk
//! may do to them.

mod credentials;
mod fleet;
mod hostile;
mod pinning;
mod pulling;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{
    Ended, Scratch,
    registry::{Registry, write_component},
    tree::{Random, Snapshot},
};

/// A registry, a folder to move, and a component in a file.
struct Stage {
    scratch: Scratch,
    registry: Registry,
    source: Snapshot,
}

/// What `push` and `pull` print.
struct Printed {
    /// `oci://…@sha256:…`
    reference: String,
    /// Of the manifest, in hex.
    digest: String,
    /// Of the component, in hex.
    sha256: String,
}

// === impl Stage ===

impl Stage {
    fn new() -> Self {
        let scratch = Scratch::new();
        let registry = Registry::start(&scratch);
        Self::of(scratch, registry)
    }

    fn of(scratch: Scratch, registry: Registry) -> Self {
        Random::seeded().fill(&scratch.path("source"), [1, 100, 5000]);
        let source = Snapshot::of(&scratch.path("source"));
        Self { scratch, registry, source }
    }

    fn place(&self, tag: &str) -> String {
        format!("oci://{}/acme/local:{tag}", self.registry.name())
    }

    /// Pushes a component that differs from others by its mark.
    fn push(&self, mark: &str, tag: &str) -> Printed {
        let file = self.component(mark);
        let pushed = self.scratch.engine(&["connector", "push", file.to_str().unwrap(), &self.place(tag)]);
        Printed::of(pushed.expect_code(0))
    }

    fn component(&self, mark: &str) -> PathBuf {
        let file = self.scratch.path(&format!("local{mark}.wasm"));
        write_component(&file, mark);
        file
    }

    /// A pipeline whose source has this connector.
    fn pipeline(&self, connector: &str, more: &str) -> PathBuf {
        let source = self.scratch.path("source");
        let source = format!("connector = \"{connector}\"\n{more}\npath = \"{}\"", source.display());
        self.scratch.pipeline_between(&source, &self.scratch.local("sink"), "")
    }

    fn check(&self, run: &Ended) {
        run.expect_code(0);
        self.source.assert_equals(&Snapshot::of(&self.scratch.path("sink")));
    }

    /// As on a machine that has pulled nothing.
    fn run_afresh(&self, machine: &str, pipeline: &Path) -> Ended {
        self.scratch.start_on(machine, &["run", "--json", pipeline.to_str().unwrap()], &[]).wait()
    }
}

// === impl Printed ===

impl Printed {
    fn of(ended: &Ended) -> Self {
        let value = |name: &str| {
            let line = ended.output.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {}", ended.output)).trim().to_owned()
        };
        let reference = value("connector");
        let (_, digest) = reference.split_once("@sha256:").unwrap();
        Self { digest: digest.to_owned(), sha256: value("sha256"), reference }
    }
}

/// What is below a folder, if it's there.
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |entries| entries.map(Result::unwrap).count())
}

/// Refused, with all of these in its message.
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    ended.expect_code(code);
    for word in words {
        assert!(ended.errors.contains(word), "no {word:?} in {}", ended.errors);
    }
}
