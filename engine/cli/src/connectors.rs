//! From the word after `connector =` to a loaded connector: built in, a file, or out of a registry. What
//! isn't the component that was asked for is refused before any of it runs. Opens none.

pub(crate) mod pinned;

use std::path::Path;

use culvert_host::{loader::Connector, runtime::Runtime};
use culvert_manifest::{Digest, Endpoint, Reference};
use culvert_registry::digest;

use self::pinned::Pins;
use crate::{args::Places, exit::Failure};

/// Least likeness (Jaro-Winkler, 0 to 1) at which a name is offered instead.
const LIKENESS: f64 = 0.7;

/// A connector that's asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) word: &'a str,
    /// What its component must be; none: anything.
    pub(crate) sha256: Option<&'a Digest>,
    /// What says which artifact a tag stands for.
    pub(crate) pins: Pins<'a>,
}

// === impl Asked ===

impl<'a> Asked<'a> {
    /// By a person, who sees what comes.
    pub(crate) fn by_hand(word: &'a str) -> Self {
        Self { word, sha256: None, pins: Pins::Now }
    }

    /// By a table.
    pub(crate) fn of(table: &'a Endpoint, pins: Pins<'a>) -> Self {
        Self { word: &table.connector, sha256: table.sha256.as_ref(), pins }
    }
}

/// A built-in, by its name.
///
/// # Errors
/// There is none of this name.
pub(crate) fn built_in(runtime: &Runtime, name: &str) -> Result<Connector, Failure> {
    let builtin = culvert_builtin::find(name).ok_or_else(|| Failure::usage(unknown(name)))?;
    Connector::load(runtime, name, builtin.wasm).map_err(Failure::usage)
}

/// Loads a built-in, the `.wasm` file at a path, or what a registry has.
///
/// # Errors
/// There is none of this name, it isn't the one that was asked for, or it's no connector.
pub(crate) fn load(runtime: &Runtime, asked: Asked<'_>, places: &Places) -> Result<Connector, Failure> {
    let word = asked.word;
    let check = |bytes: &[u8]| asked.sha256.map_or(Ok(()), |wanted| expect(word, bytes, wanted));
    if let Some(builtin) = culvert_builtin::find(word) {
        check(builtin.wasm)?;
        return Connector::load(runtime, word, builtin.wasm).map_err(Failure::usage);
    }
    let bytes = match Reference::of(word) {
        Ok(Some(reference)) => pinned::component(&reference, asked.pins, places)?,
        Ok(None) if is_path(word) => Connector::read(Path::new(word)).map_err(Failure::usage)?,
        Ok(None) => return Err(Failure::usage(unknown(word))),
        Err(invalid) => return Err(Failure::usage(format!("the connector {word:?}: {invalid}"))),
    };
    check(&bytes)?;
    Connector::load(runtime, word, &bytes).map_err(Failure::usage)
}

fn expect(word: &str, bytes: &[u8], wanted: &Digest) -> Result<(), Failure> {
    let found = digest(bytes);
    if found == *wanted {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the connector {word:?} has the digest {found}, and sha256 asks for {wanted}: nothing of it was run; take the \
         right one, or write sha256 = \"{}\" if it was meant to change",
        found.hex()
    )))
}

fn is_path(word: &str) -> bool {
    word.contains('/') || Path::new(word).extension().is_some_and(|extension| extension == "wasm")
}

fn unknown(word: &str) -> String {
    let names = culvert_builtin::BUILTINS.map(|builtin| builtin.name);
    let nearest = names.iter().find(|name| strsim::jaro_winkler(name, word) >= LIKENESS);
    let instead = match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!(
            "built in: {}; or write the path of a .wasm file, or oci:// and a place in a registry",
            names.join(", ")
        ),
    };
    format!("there is no connector {word:?}; {instead}")
}
