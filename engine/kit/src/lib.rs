//! What a new connector begins with: the files of a project that builds as it is, with the SDK and the
//! contract of this engine in it, so that it needs neither this repository nor a registry that has the
//! SDK. Writes nothing and runs nothing.

mod manifest;
mod template;

use std::path::{Path, PathBuf};

use template::{Words, fill};

/// Files of the SDK and the contract, by their path in a project.
const SDK: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));
/// The versions of everything that the SDK was built and tested with here. Cargo takes out what a
/// project doesn't use.
const LOCK: &str = include_str!("../../../Cargo.lock");
/// Longest name in bytes, as the contract has it.
const MAX_NAME_BYTES: usize = 64;

/// The ends that a connector serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    Source,
    Sink,
    Both,
}

/// Where a project has its SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdk {
    /// In its own folder `sdk`.
    Inside,
    /// There: the folder `plugins/sdk` of a checkout, for instance.
    At(PathBuf),
}

/// A file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below the project's folder.
    pub path: PathBuf,
    pub text: String,
}

/// A project can't be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

struct Template {
    path: &'static str,
    text: &'static str,
    roles: &'static [Roles],
}

macro_rules! rust {
    ($path:literal, $file:literal, $roles:expr) => {
        Template { path: $path, text: include_str!(concat!("../templates/rust/", $file)), roles: $roles }
    };
}

const ALL: &[Roles] = &[Roles::Source, Roles::Sink, Roles::Both];
const READS: &[Roles] = &[Roles::Source, Roles::Both];
const WRITES: &[Roles] = &[Roles::Sink, Roles::Both];

const RUST: [Template; 12] = [
    rust!("Cargo.toml", "Cargo.toml", ALL),
    rust!("rust-toolchain.toml", "rust-toolchain.toml", ALL),
    rust!(".gitignore", "gitignore", ALL),
    rust!("README.md", "README.md", ALL),
    rust!("test.toml", "test.toml", ALL),
    rust!("pipeline.toml", "pipeline.toml", ALL),
    rust!("src/lib.rs", "lib.rs", ALL),
    rust!("src/tests.rs", "tests.rs", ALL),
    rust!("src/source.rs", "source.rs", READS),
    rust!("src/source.json", "source.json", READS),
    rust!("src/sink.rs", "sink.rs", WRITES),
    rust!("src/sink.json", "sink.json", WRITES),
];

/// The files of a Rust project.
///
/// # Errors
/// The name can't be a connector's.
pub fn rust(name: &str, roles: Roles, sdk: &Sdk) -> Result<Vec<File>, Refused> {
    check_name(name)?;
    let path = match sdk {
        Sdk::Inside => Path::new("sdk"),
        Sdk::At(path) => path,
    };
    let words = Words { name, file: &name.replace('-', "_"), sdk: &path.to_string_lossy(), roles };
    let templates = RUST.iter().filter(|it| it.roles.contains(&roles));
    let mut files: Vec<File> = templates.map(|it| file(it.path, fill(it.text, &words))).collect();
    files.push(file("Cargo.lock", LOCK.to_owned()));
    if *sdk == Sdk::Inside {
        files.extend(self::sdk()?);
    }
    Ok(files)
}

/// The SDK as a crate of its own: as here, but for what only a member of this workspace can say.
fn sdk() -> Result<Vec<File>, Refused> {
    SDK.iter()
        .map(|(path, text)| {
            Ok(match *path {
                "sdk/Cargo.toml" => file(path, manifest::alone(text)?),
                // The contract is beside the sources, not two folders up.
                "sdk/build.rs" | "sdk/src/bindings.rs" => file(path, text.replace("../../wit", "wit")),
                _ => file(path, (*text).to_owned()),
            })
        })
        .collect()
}

fn file(path: &str, text: String) -> File {
    File { path: path.into(), text }
}

/// As the contract and Cargo want it.
fn check_name(name: &str) -> Result<(), Refused> {
    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_word && name.len() <= MAX_NAME_BYTES && name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(Refused(format!(
        "{name:?} can't be a connector's name: write a-z, 0-9 and -, a letter first, at most {MAX_NAME_BYTES} bytes"
    )))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    fn text(files: &[File], path: &str) -> String {
        files.iter().find(|file| file.path == Path::new(path)).unwrap_or_else(|| panic!("no {path}")).text.clone()
    }

    #[test]
    fn a_project_has_the_sdk_and_the_contract() {
        let files = rust("my-store", Roles::Both, &Sdk::Inside).unwrap();
        for path in ["sdk/wit/world.wit", "sdk/wit/deps/http.wit", "sdk/src/error/filesystem.rs", "Cargo.lock"] {
            assert!(!text(&files, path).is_empty());
        }
        assert!(text(&files, "sdk/src/bindings.rs").contains("path: \"wit\""));
        assert!(files.iter().all(|file| !file.text.contains("../../wit")), "the contract is looked for elsewhere");
        assert!(!text(&files, "sdk/Cargo.toml").contains("workspace"));
        assert!(text(&files, "Cargo.toml").contains("culvert-sdk = { path = \"sdk\" }"));
    }

    #[test]
    fn each_role_has_its_files_and_no_mark_is_left() {
        for (roles, source, sink) in
            [(Roles::Source, true, false), (Roles::Sink, false, true), (Roles::Both, true, true)]
        {
            let files = rust("my-store", roles, &Sdk::At("/checkout/plugins/sdk".into())).unwrap();
            let has = |path: &str| files.iter().any(|file| file.path == Path::new(path));
            assert_eq!((has("src/source.rs"), has("src/sink.rs"), has("sdk/Cargo.toml")), (source, sink, false));
            assert!(files.iter().all(|file| !file.text.contains("{{")), "{roles:?}");
            assert!(text(&files, "README.md").contains("my_store.wasm"));
            let lines = text(&files, "README.md").lines().count();
            assert_eq!(lines, 10, "the README");
        }
    }

    #[test]
    fn what_an_author_begins_with_is_short() {
        let lines = |roles, path| {
            let files = rust("my-store", roles, &Sdk::Inside).unwrap();
            text(&files, "src/lib.rs").lines().count() + text(&files, path).lines().count()
        };
        assert!(lines(Roles::Source, "src/source.rs") < 60);
        assert!(lines(Roles::Sink, "src/sink.rs") < 80);
    }

    #[test]
    fn a_name_that_cant_be_one_is_refused() {
        for name in ["", "A", "-a", "1a", "a_b", "ä", "a b", "../a", &"a".repeat(65)] {
            assert!(rust(name, Roles::Both, &Sdk::Inside).is_err(), "{name:?}");
        }
    }
}
