//! `<pipeline>.lock`: what the tags of a pipeline's connectors stood for when they were pulled. Written by
//! the engine, committed with the pipeline; a run takes these artifacts and no others. Resolves none.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{digest::Digest, oci::Reference};

/// The form of the file; another one was written by another engine.
const VERSION: u32 = 1;
const HEAD: &str = "# Written by `engine connector pull`, to be committed with the pipeline: its runs take these connectors and no others.";

/// The artifacts of a pipeline's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    pub connectors: BTreeMap<Reference, Locked>,
}

/// What a tag stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Of the manifest: what the registry calls the artifact.
    pub digest: Digest,
    /// Of the component itself: what `engine connector inspect` shows.
    pub sha256: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    connectors: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    digest: String,
    sha256: String,
}

// === impl Lock ===

impl Lock {
    /// Where the lock of a pipeline's file is: beside it, `nightly.lock` of `nightly.toml`.
    pub fn path(pipeline: &Path) -> PathBuf {
        pipeline.with_extension("lock")
    }

    /// # Errors
    /// A sentence about what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if file.version != VERSION {
            return Err(format!("it's of version {}, and this engine writes {VERSION}", file.version));
        }
        let entries = file.connectors.into_iter().map(|(word, entry)| {
            let wrong = |invalid: crate::Invalid| format!("{word:?}: {invalid}");
            let reference: Reference = word.parse().map_err(wrong)?;
            let [digest, sha256] = [entry.digest, entry.sha256].map(|text| text.parse().map_err(wrong));
            Ok((reference, Locked { digest: digest?, sha256: sha256? }))
        });
        Ok(Self { connectors: entries.collect::<Result<_, String>>()? })
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let entries = self.connectors.iter().map(|(reference, locked)| {
            format!("\n[connectors.\"{reference}\"]\ndigest = \"{}\"\nsha256 = \"{}\"\n", locked.digest, locked.sha256)
        });
        format!("{HEAD}\nversion = {VERSION}\n{}", entries.collect::<String>())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_as_it_is_written() {
        let digest = |pair: &str| Digest::from_hex(&pair.repeat(32)).unwrap();
        let locked = Locked { digest: digest("0a"), sha256: digest("ff") };
        let reference = "oci://127.0.0.1:5000/acme/mem:1".parse().unwrap();
        let lock = Lock { connectors: [(reference, locked)].into() };
        assert_eq!(Lock::parse(&lock.render()).unwrap(), lock);
        assert_eq!(Lock::parse(&Lock::default().render()).unwrap(), Lock::default());
        assert_eq!(Lock::path(Path::new("a/nightly.toml")), Path::new("a/nightly.lock"));
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        for text in [
            "",
            "version = 2",
            "version = 1\nmore = 1",
            "version = 1\n[connectors.\"local\"]\ndigest = \"\"\nsha256 = \"\"",
            "version = 1\n[connectors.\"oci://r.example/a:1\"]\ndigest = \"sha256:00\"\nsha256 = \"00\"",
        ] {
            assert!(Lock::parse(text).is_err(), "{text}");
        }
    }
}
