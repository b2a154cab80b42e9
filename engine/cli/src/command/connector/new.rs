//! `engine connector new`: writes a project into a folder that isn't there yet. Builds nothing.

use std::{fs, path::Path};

use culvert_kit::{File, Roles, Sdk, rust};

use crate::{
    args::connector::{Language, New as Asked, Role},
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// The name can't be a connector's, the folder is there already, or it can't be written.
pub(super) fn execute(asked: &Asked) -> Result<Exit, Failure> {
    let roles = match asked.role {
        Role::Source => Roles::Source,
        Role::Sink => Roles::Sink,
        Role::Both => Roles::Both,
    };
    let files = match asked.lang {
        Language::Rust => rust(&asked.name, roles, &sdk(asked)?).map_err(Failure::usage)?,
    };
    let folder = asked.folder.as_deref().unwrap_or(Path::new(&asked.name));
    write(folder, &files)?;
    output::line(&format!("{} has a connector; its README.md says how to build, test and use it", folder.display()));
    Ok(Exit::Done)
}

/// A path that is given counts from here, and a project can be anywhere.
fn sdk(asked: &Asked) -> Result<Sdk, Failure> {
    let Some(path) = &asked.sdk else { return Ok(Sdk::Inside) };
    let failed = |error: std::io::Error| Failure::usage(format!("--sdk {}: {error}", path.display()));
    let path = path.canonicalize().map_err(failed)?;
    if !path.join("Cargo.toml").is_file() {
        let message = format!("--sdk {}: there is no Cargo.toml; name plugins/sdk of a checkout", path.display());
        return Err(Failure::usage(message));
    }
    Ok(Sdk::At(path))
}

/// Into a folder of its own: what's there already is never touched.
fn write(folder: &Path, files: &[File]) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::could_not_go_on(format!("can't write {}: {error}", path.display()))
    };
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already; choose another name, or --folder", folder.display());
            return Err(Failure::usage(message));
        }
        made => made.map_err(|error| failed(folder, error))?,
    }
    for file in files {
        let path = folder.join(&file.path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        fs::write(&path, &file.text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}
