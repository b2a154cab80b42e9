//! What isn't only bytes: directories, symlinks, times and attributes, where they're kept.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use culvert_flow::{
    error::{Code, Error},
    object::{Key, Kind, Object},
    sink::{Replace, Sink},
    source::Source,
};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, put},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

/// The 9th of September 2001, 01:46:40 UTC: whole seconds, which every store has.
const LONG_AGO: Duration = Duration::from_secs(1_000_000_000);

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Sink, Writes};
    vec![
        case!("directories", "a directory is put, told, put again and deleted", [Writes("directories")], directories),
        case!("directories-full", "a directory that isn't empty isn't deleted", [Writes("directories")], full),
        case!(
            "symlinks",
            "a symlink is put, told with its target, and deleted without it",
            [Writes("symlinks")],
            symlinks
        ),
        case!("modified", "the time that an object was given is told again", [Writes("modified")], modified),
        case!("attributes", "attributes that the store tells are those that it was given", [Sink], attributes),
    ]
}

/// Puts what has no bytes.
async fn make<S: Subject>(bench: &Bench<'_, S>, object: &Object) -> Result<Object, Error> {
    put(&mut bench.sink().await?, object, Body::whole(b""), Replace::Always).await
}

fn directory(key: &Key) -> Object {
    Object { kind: Kind::Directory, size: Some(0), ..file(key, 0) }
}

async fn directories<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("directories", "a/b");
    for _ in 0..2 {
        make(bench, &directory(&key)).await?;
        let told = bench.sink().await?.stat(&key).await?;
        ensure!(told.kind == Kind::Directory, "expected a directory of stat, got {:?}", told.kind);
    }
    if bench.writes_what_it_reads() {
        let seen = bench.seen(&mut bench.reader().await?).await?;
        let listed = seen.objects.get(key.as_str()).map(|object| object.kind.clone());
        // A flat store may show it by what is in it alone.
        ensure!(listed != Some(Kind::File), "expected a directory in the listing, got {listed:?}");
    }
    bench.sink().await?.delete(&key).await?;
    bench.is_absent(&key, "after delete").await?;
    passed()
}

async fn full<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("directories-full", "a");
    make(bench, &directory(&key)).await?;
    let within = bench.key("directories-full", "a/file");
    put(&mut bench.sink().await?, &file(&within, 1), Body::whole(b"x"), Replace::Always).await?;
    // Refused where the store has folders; where it hasn't, only the mark goes.
    let answer = bench.sink().await?.delete(&key).await;
    bench.sink().await?.stat(&within).await?;
    Ok(answer.err().map_or_else(String::new, |error| format!("refused with {}", error.code)))
}

async fn symlinks<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let target = bench.key("symlinks", "target");
    put(&mut bench.sink().await?, &file(&target, 3), Body::whole(b"abc"), Replace::Always).await?;
    let key = bench.key("symlinks", "link");
    let attributes: BTreeMap<_, _> = [("posix.target".to_owned(), "target".to_owned())].into();
    let link = Object { kind: Kind::Symlink, size: Some(0), attributes, ..file(&key, 0) };
    make(bench, &link).await?;
    let told = bench.sink().await?.stat(&key).await?;
    ensure!(told.kind == Kind::Symlink, "expected a symlink of stat, got {:?}", told.kind);
    let way = told.attributes.get("posix.target");
    ensure!(way.is_some_and(|way| way == "target"), "expected the target \"target\", got {way:?}");
    bench.sink().await?.delete(&key).await?;
    bench.is_absent(&key, "after delete").await?;
    bench.sink().await?.stat(&target).await?;
    passed()
}

async fn modified<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("modified", "file");
    let given = SystemTime::UNIX_EPOCH + LONG_AGO;
    let object = Object { modified: Some(given), ..file(&key, 3) };
    put(&mut bench.sink().await?, &object, Body::whole(b"abc"), Replace::Always).await?;
    let told = bench.sink().await?.stat(&key).await?.modified;
    ensure!(told == Some(given), "expected the time {given:?} of stat, got {told:?}");
    passed()
}

async fn attributes<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("attributes", "file");
    let given = [("content-type", "text/x-conformance"), ("user.conformance", "kept"), ("posix.mode", "0640")];
    let given: BTreeMap<String, String> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let object = Object { attributes: given.clone(), ..file(&key, 3) };
    match put(&mut bench.sink().await?, &object, Body::whole(b"abc"), Replace::Always).await {
        Err(error) if error.code == Code::UNSUPPORTED => return Ok("refused as unsupported".to_owned()),
        other => other?,
    };
    let mut told = bench.sink().await?.stat(&key).await?.attributes;
    if bench.writes_what_it_reads() {
        told.extend(bench.reader().await?.stat(&key).await?.attributes);
    }
    let kept: Vec<_> = given.keys().filter(|name| told.contains_key(*name)).map(String::as_str).collect();
    for (name, value) in &given {
        // A store that has a mode of its own may not take one.
        let is_own = name == "posix.mode" && kept == ["posix.mode"];
        let got = told.get(name);
        if got.is_some_and(|got| got != value) && is_own {
            return Err(Fault::NotApplicable("the store tells none of the attributes that it was given".to_owned()));
        }
        ensure!(got.is_none_or(|got| got == value), "expected {name} = {value:?}, got {got:?}");
    }
    if kept.is_empty() {
        return Err(Fault::NotApplicable("the store tells none of the attributes that it was given".to_owned()));
    }
    Ok(kept.join(", "))
}
