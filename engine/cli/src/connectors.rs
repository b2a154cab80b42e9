//! From the word after `connector =` to a loaded connector. Opens none.

use std::path::Path;

use culvert_host::{loader::Connector, runtime::Runtime};

use crate::exit::Failure;

/// Least likeness (Jaro-Winkler, 0 to 1) at which a name is offered instead.
const LIKENESS: f64 = 0.7;

/// Loads a built-in, or the `.wasm` file at a path.
///
/// # Errors
/// There is none of this name, or it's no connector.
pub(crate) fn load(runtime: &Runtime, word: &str) -> Result<Connector, Failure> {
    if let Some(builtin) = culvert_builtin::find(word) {
        return Connector::load(runtime, word, builtin.wasm).map_err(Failure::usage);
    }
    if word.contains('/') || Path::new(word).extension().is_some_and(|extension| extension == "wasm") {
        return Connector::load_file(runtime, Path::new(word)).map_err(Failure::usage);
    }
    Err(Failure::usage(unknown(word)))
}

fn unknown(word: &str) -> String {
    let names = culvert_builtin::BUILTINS.map(|builtin| builtin.name);
    let nearest = names.iter().find(|name| strsim::jaro_winkler(name, word) >= LIKENESS);
    let instead = match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("built in: {}; or write the path of a .wasm file", names.join(", ")),
    };
    format!("there is no connector {word:?}; {instead}")
}
