//! `engine connector pull`: a connector out of a registry into the cache, or all that a pipeline names, whose
//! digests then stand in the lock beside it. Takes no other artifact for a tag than the lock's, unless told to.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use culvert_manifest::{Endpoint, Lock, Locked, Reference, parse};
use culvert_registry::{Cache, Pulled, Registry, Terms};

use crate::{
    args::{Places, connector::Pull as Asked},
    connectors::pinned::{cache, failure, lock, moved, pull},
    exit::{Exit, Failure},
    folders,
    inventory::addresses::Surroundings,
    output,
};

/// # Errors
/// A connector can't be had, or a tag stands for another one than before.
pub(super) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let (cache, terms) = (cache(places)?, Terms { insecure: asked.insecure });
    match Reference::of(&asked.what) {
        Ok(Some(reference)) => one(&reference, asked, terms, &cache)?,
        Ok(None) if asked.output.is_some() => {
            return Err(Failure::usage("--output is for one connector: name it by oci:// and its place in a registry"));
        }
        Ok(None) => all(Path::new(&asked.what), asked.update, terms, (&cache, places))?,
        Err(invalid) => return Err(Failure::usage(format!("{:?}: {invalid}", asked.what))),
    }
    Ok(Exit::Done)
}

fn one(reference: &Reference, asked: &Asked, terms: Terms, cache: &Cache) -> Result<(), Failure> {
    let pulled = pull(reference, terms, cache)?;
    if let Some(path) = &asked.output {
        write(path, &pulled.component)?;
    }
    told(&Reference { tag: None, ..reference.pinned(&pulled.digest) }, &pulled);
    Ok(())
}

fn told(reference: &Reference, pulled: &Pulled) {
    output::line(&format!("connector  {reference}\nsha256     {}", pulled.sha256.hex()));
}

fn all(pipeline: &Path, update: bool, terms: Terms, (cache, places): (&Cache, &Places)) -> Result<(), Failure> {
    let text = folders::read_text(pipeline)
        .map_err(|error| Failure::usage(format!("can't read the pipeline {}: {error}", pipeline.display())))?;
    let parsed = parse(pipeline, &text, &Surroundings::new(places));
    let parsed = parsed.map_err(|problems| Failure::usage(problems.render()))?;
    let (path, before) = lock(pipeline)?;
    let mut after = Lock::default();
    let tables = || [&parsed.source, &parsed.sink].into_iter().chain(&parsed.transforms);
    for end in tables() {
        let Some(reference) = of(end)? else { continue };
        let pinned = match (&reference.digest, before.connectors.get(&reference)) {
            (None, Some(locked)) if !update => {
                let now = Registry::of(&reference, terms).and_then(|registry| registry.resolve()).map_err(failure)?;
                if now != locked.digest {
                    return Err(moved(&reference, &path, (&locked.digest, &now), pipeline));
                }
                reference.pinned(&now)
            }
            _ => reference.clone(),
        };
        let pulled = pull(&pinned, terms, cache)?;
        told(&Reference { tag: None, ..reference.pinned(&pulled.digest) }, &pulled);
        if reference.digest.is_none() {
            after.connectors.insert(reference, Locked { digest: pulled.digest, sha256: pulled.sha256 });
        }
    }
    if tables().all(|end| matches!(of(end), Ok(None))) {
        output::line("no connector of this pipeline lies in a registry");
    }
    if after == before {
        return Ok(());
    }
    write(&path, after.render().as_bytes())?;
    output::line(&format!("lock       {}", path.display()));
    Ok(())
}

fn of(end: &Endpoint) -> Result<Option<Reference>, Failure> {
    Reference::of(&end.connector).map_err(|invalid| Failure::usage(format!("{:?}: {invalid}", end.connector)))
}

/// Whole or not at all.
fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::could_not_go_on(format!("can't write {}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut fresh = tempfile::Builder::new().permissions(readable()).tempfile_in(folder).map_err(failed)?;
    io::Write::write_all(&mut fresh, bytes).map_err(failed)?;
    fresh.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// As far as the process's mask allows.
fn readable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}
