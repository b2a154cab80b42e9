//! A connector of a registry, as the artifact that was agreed on: the one of a digest, or the one that the
//! lock beside a pipeline names for its tag. What is in the cache needs no registry. Follows no tag by itself.

use std::{
    io,
    path::{Path, PathBuf},
};

use culvert_manifest::{Digest, Lock, Locked, Reference};
use culvert_registry::{Cache, Error, Kind, Pulled, Registry, Terms};

use crate::{args::Places, exit::Failure, folders};

/// The folder of what was pulled, in the state folder.
const CONNECTORS: &str = "connectors";

/// What says which artifact a tag stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pins<'a> {
    /// The lock beside this pipeline.
    Beside(&'a Path),
    /// Nothing: only a digest is taken.
    None,
    /// The registry, now.
    Now,
}

/// The component of this artifact.
///
/// # Errors
/// It isn't agreed on, or can't be had.
pub(crate) fn component(reference: &Reference, pins: Pins<'_>, places: &Places) -> Result<Vec<u8>, Failure> {
    let cache = cache(places)?;
    let (reference, sha256) = match (&reference.digest, pins) {
        (Some(_), _) => (reference.clone(), None),
        (None, Pins::Now) => return pull(reference, Terms::default(), &cache).map(|pulled| pulled.component),
        (None, Pins::None) => {
            return Err(Failure::usage(format!(
                "the connector {reference} is named by a tag, and there is no pipeline here whose lock could say which one \
             that is; write its digest, which `engine connector pull {reference}` prints"
            )));
        }
        (None, Pins::Beside(pipeline)) => {
            let locked = locked(reference, pipeline)?;
            (reference.pinned(&locked.digest), Some((locked.sha256, Lock::path(pipeline))))
        }
    };
    let pulled =
        match reference.digest.as_ref().map(|digest| Pulled::cached(&cache, digest)).transpose().map_err(failure)? {
            Some(Some(pulled)) => pulled,
            _ => pull(&reference, Terms::default(), &cache)?,
        };
    if let Some((wanted, lock)) = sha256.filter(|(wanted, _)| *wanted != pulled.sha256) {
        return Err(Failure::usage(format!(
            "{reference}: its component has the digest {}, and {} says {wanted}; the lock was changed by hand, and \
             `engine connector pull --update` writes it anew",
            pulled.sha256,
            lock.display()
        )));
    }
    Ok(pulled.component)
}

/// # Errors
/// The registry can't be reached, or has something else.
pub(crate) fn pull(reference: &Reference, terms: Terms, cache: &Cache) -> Result<Pulled, Failure> {
    Registry::of(reference, terms).and_then(|registry| registry.pull(cache)).map_err(failure)
}

/// What was pulled on this machine.
///
/// # Errors
/// There is no place for it.
pub(crate) fn cache(places: &Places) -> Result<Cache, Failure> {
    Ok(Cache::new(&folders::state(places)?.join(CONNECTORS)))
}

/// The lock beside a pipeline; an empty one where there is none.
///
/// # Errors
/// It can't be read.
pub(crate) fn lock(pipeline: &Path) -> Result<(PathBuf, Lock), Failure> {
    let path = Lock::path(pipeline);
    let text = match folders::read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((path, Lock::default())),
        Err(error) => return Err(Failure::usage(format!("can't read the lock {}: {error}", path.display()))),
    };
    let lock = Lock::parse(&text).map_err(|what| {
        let shown = path.display();
        Failure::usage(format!("the lock {shown}: {what}; `engine connector pull` writes one where there is none"))
    })?;
    Ok((path, lock))
}

/// The text of the lock beside a pipeline, for machines that don't have it; none where there is none.
///
/// # Errors
/// It can't be read.
pub(crate) fn text(pipeline: &Path) -> Result<Option<String>, Failure> {
    let (_, lock) = lock(pipeline)?;
    Ok((lock != Lock::default()).then(|| lock.render()))
}

fn locked(reference: &Reference, pipeline: &Path) -> Result<Locked, Failure> {
    let (path, lock) = lock(pipeline)?;
    lock.connectors.get(reference).cloned().ok_or_else(|| {
        let (path, pipeline) = (path.display(), pipeline.display());
        Failure::usage(format!(
            "{reference} is named by a tag, and {path} doesn't say which artifact that is; `engine connector pull \
             {pipeline}` asks the registry once and writes it down"
        ))
    })
}

pub(crate) fn failure(error: Error) -> Failure {
    match error.kind {
        Kind::Refused => Failure::usage(error),
        Kind::Unreachable => Failure::could_not_go_on(error),
    }
}

/// A tag that stands for another artifact than before.
pub(crate) fn moved(reference: &Reference, lock: &Path, (locked, now): (&Digest, &Digest), pipeline: &Path) -> Failure {
    let (lock, pipeline) = (lock.display(), pipeline.display());
    Failure::usage(format!(
        "{reference} has changed: {lock} has the digest {locked}, and the registry has {now} by now; nothing was pulled, \
         and runs go on with the one in the lock. If the new one is wanted, `engine connector pull --update {pipeline}` \
         takes it"
    ))
}
