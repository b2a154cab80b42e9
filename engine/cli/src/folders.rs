//! Where the engine keeps things on this machine: the state folder and `engine.toml`. Follows the
//! XDG base directory specification 0.8.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use culvert_manifest::{EngineFile, MAX_FILE_BYTES, ProcessEnvironment, parse_engine};

use crate::{args::Places, exit::Failure};

/// The folder of all pipelines, in the state folder.
const PIPELINES: &str = "pipelines";
/// A pipeline's journal, in its state folder.
pub(crate) const JOURNAL: &str = "journal.sqlite";

/// The state folder, made if it's missing, and only this user's.
///
/// # Errors
/// It can't be made, or others may write to it: what's compiled there is run.
pub(crate) fn state(places: &Places) -> Result<PathBuf, Failure> {
    let folder = match &places.state_dir {
        Some(folder) => folder.clone(),
        None => xdg("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
            Failure::usage("no place for the state folder: neither HOME nor XDG_STATE_HOME is set; give --state-dir")
        })?,
    };
    let failed = |error| Failure::usage(format!("the state folder {}: {error}", folder.display()));
    // The compile cache takes no relative one.
    let folder = std::path::absolute(&folder).map_err(failed)?;
    private(&folder).map_err(failed)?;
    Ok(folder)
}

/// What is kept for the pipeline of this name: journal, reports, owner.
///
/// # Errors
/// The folder can't be made.
pub(crate) fn pipeline(places: &Places, name: &str) -> Result<PathBuf, Failure> {
    let folder = state(places)?.join(PIPELINES).join(name);
    private(&folder).map_err(|error| Failure::usage(format!("the state folder {}: {error}", folder.display())))?;
    Ok(folder)
}

/// Where all pipelines are kept, whether there are any or not. Makes nothing.
///
/// # Errors
/// There is no place for it.
pub(crate) fn pipelines(places: &Places) -> Result<PathBuf, Failure> {
    Ok(state(places)?.join(PIPELINES))
}

/// What `engine.toml` says; nothing where there is none and none was asked for.
///
/// # Errors
/// The file can't be read or is wrong.
pub(crate) fn engine_file(places: &Places) -> Result<(PathBuf, EngineFile), Failure> {
    let asked = places.config.is_some();
    let path = places.config.clone().or_else(|| Some(xdg("XDG_CONFIG_HOME", ".config")?.join("engine.toml")));
    let Some(path) = path else { return Ok((PathBuf::from("engine.toml"), EngineFile::default())) };
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if !asked && error.kind() == io::ErrorKind::NotFound => return Ok((path, EngineFile::default())),
        Err(error) => return Err(Failure::usage(format!("can't read {}: {error}", path.display()))),
    };
    let file = parse_engine(&path, &text, &ProcessEnvironment).map_err(|problems| Failure::usage(problems.render()))?;
    Ok((path, file))
}

/// A TOML file's text, of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// It can't be read, is too large or isn't UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES as u64;
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, limit + 1), &mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the file is larger than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("the file isn't UTF-8 (byte {valid}); save it as UTF-8"))
    })
}

fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    // A relative path is to be ignored, says the specification.
    let set = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        set.or_else(|| Some(PathBuf::from(env::var_os("HOME").filter(|home| !home.is_empty())?).join(below_home)));
    base.map(|base| base.join("culvert"))
}

fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.mode() & 0o022 != 0 {
        let message = "others may write to it, and what's compiled there is run; take that right away (chmod go-w)";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}
