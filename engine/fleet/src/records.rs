//! The records of a fleet: one key-value pair for each, whose version is its revision in the bucket. Keeps
//! no copy.

use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store, UpdateErrorKind};
use culvert_flow::{
    error::{Code, Error},
    records::{Kind, Records, Stored},
};
use futures_util::TryStreamExt;

use crate::connection::{Fleet, failure};

/// The revision that a deletion met, in the server's words (error 10071).
const WRONG_LAST: &str = "wrong last sequence";

// === impl Fleet ===

impl Records for Fleet {
    fn read(&self, kind: Kind, name: &str) -> Result<Option<Stored>, Error> {
        let (store, name) = (self.records().clone(), name.to_owned());
        self.wait(
            async move { read(&store, &key(kind, &name)).await.map(|found| found.map(|found| stored(name, found))) },
        )
    }

    fn list(&self, kind: Kind) -> Result<Vec<Stored>, Error> {
        let store = self.records().clone();
        self.wait(async move {
            let mut all = Vec::new();
            for name in names(&store, kind.as_str()).await? {
                let found = read(&store, &key(kind, &name)).await?;
                all.extend(found.map(|found| stored(name, found)));
            }
            Ok(all)
        })
    }

    fn create(&self, kind: Kind, name: &str, value: &str) -> Result<bool, Error> {
        let (store, key, value) = (self.records().clone(), key(kind, name), value.to_owned());
        self.wait(async move { create(&store, &key, value).await.map(|revision| revision.is_some()) })
    }

    fn swap(&self, kind: Kind, name: &str, expected: u64, value: &str) -> Result<bool, Error> {
        let (store, key, value) = (self.records().clone(), key(kind, name), value.to_owned());
        self.wait(async move { swap(&store, &key, expected, value).await.map(|revision| revision.is_some()) })
    }

    fn delete(&self, kind: Kind, name: &str, expected: u64) -> Result<bool, Error> {
        let (store, key) = (self.records().clone(), key(kind, name));
        self.wait(async move { delete(&store, &key, expected).await })
    }
}

pub(crate) fn key(kind: Kind, name: &str) -> String {
    format!("{}.{name}", kind.as_str())
}

fn stored(name: String, (value, version): (String, u64)) -> Stored {
    Stored { name, version, value }
}

/// The value and its revision; none if it isn't there.
pub(crate) async fn read(store: &Store, key: &str) -> Result<Option<(String, u64)>, Error> {
    let found = store.entry(key).await.map_err(|error| failure(Code::UNAVAILABLE, error))?;
    let Some(entry) = found.filter(|entry| entry.operation == Operation::Put) else { return Ok(None) };
    let value = String::from_utf8(entry.value.into())
        .map_err(|_| failure(Code::CORRUPT, format!("the record {key} isn't UTF-8")))?;
    Ok(Some((value, entry.revision)))
}

/// The revision; none if there is one.
pub(crate) async fn create(store: &Store, key: &str, value: String) -> Result<Option<u64>, Error> {
    match store.create(key, value.into()).await {
        Ok(revision) => Ok(Some(revision)),
        Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(failure(Code::UNAVAILABLE, error)),
    }
}

/// The revision; none if it has another than `expected`.
pub(crate) async fn swap(store: &Store, key: &str, expected: u64, value: String) -> Result<Option<u64>, Error> {
    match store.update(key, value.into(), expected).await {
        Ok(revision) => Ok(Some(revision)),
        Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
        Err(error) => Err(failure(Code::UNAVAILABLE, error)),
    }
}

/// False if it has another revision than `expected`.
pub(crate) async fn delete(store: &Store, key: &str, expected: u64) -> Result<bool, Error> {
    match store.delete_expect_revision(key, Some(expected)).await {
        Ok(()) => Ok(true),
        Err(error) if error.to_string().contains(WRONG_LAST) => Ok(false),
        Err(error) => Err(failure(Code::UNAVAILABLE, error)),
    }
}

/// The names of a kind, in order, those of deleted records among them.
pub(crate) async fn names(store: &Store, kind: &str) -> Result<Vec<String>, Error> {
    let failed = |error| failure(Code::UNAVAILABLE, error);
    let prefix = format!("{}{kind}.", store.prefix);
    let found = store.stream.info_with_subjects(format!("{prefix}*")).await.map_err(failed)?;
    let found: Vec<(String, usize)> = found.try_collect().await.map_err(failed)?;
    let mut names: Vec<_> = found.iter().filter_map(|(subject, _)| subject.strip_prefix(&prefix)).collect();
    names.sort_unstable();
    Ok(names.into_iter().map(str::to_owned).collect())
}
