//! What the source lists: five good objects, one for each crime on objects, and what its own crime
//! adds.

use std::{future::pending, io::Write};

use culvert_sdk::{
    error,
    instance::Configured,
    stream::Entries,
    types::{Attribute, Entry, Error, Object, Unreadable},
    wasi::clocks::system_clock::Instant,
};

use crate::{CONFIG, SIZE, crime::Crime, object};

pub(crate) async fn list(entries: &mut Entries, folder: &str, crime: &Crime) -> Result<(), Error> {
    if !folder.is_empty() {
        return inside(entries, folder, crime).await;
    }
    for number in 0..5 {
        // Only what has a version goes by the batch.
        let version = crime.name().ends_with("-batch").then(|| "1".to_owned());
        entries.push(Entry::Object(Object { version, ..object(&format!("good-{number}"), Some(SIZE)) })).await?;
    }
    for crime in &CONFIG.with(Configured::get)?.objects {
        let key = format!("bad-{crime}");
        entries.push(Entry::Object(object(&key, Some(size(&Crime::of(&key)))))).await?;
    }
    match crime.name() {
        "keys" => keys(entries).await,
        "folders" => {
            // A folder that leads out, and one that lists itself.
            entries.push(Entry::Folder(directory("../up"))).await?;
            entries.push(Entry::Folder(directory("again"))).await
        }
        "deep-folders" => entries.push(Entry::Folder(directory("d"))).await,
        "records" => records(entries).await,
        "extremes" => extremes(entries).await,
        "escapes" => {
            push(entries, "bad-\u{1b}[2J\u{7}").await?;
            let odd = Object { kind: "\u{1b}[31modd".to_owned(), ..object("odd-\u{1b}]0;owned\u{7}", None) };
            entries.push(Entry::Object(odd)).await?;
            let error = error::new("\u{1b}[2J", "none");
            entries.push(Entry::Unreadable(Unreadable { key: "\u{1b}[2J\r\n".to_owned(), error })).await
        }
        "environment" => environment(entries).await,
        "planted-link" => planted_link(entries).await,
        "stalled-listing" => {
            entries.flush().await?;
            pending().await
        }
        "endless-listing" => {
            for number in 0_u64.. {
                push(entries, &format!("endless-{number:020}")).await?;
            }
            Ok(())
        }
        "wide-listing" => {
            for number in 0..1_000_000 {
                push(entries, &format!("{number:06}{}", "w".repeat(65_530))).await?;
            }
            Ok(())
        }
        // No crime: what a large store looks like.
        "million" => {
            for number in 0..1_000_000 {
                // With a version: without one, an object isn't known to be unchanged.
                let version = Some("1".to_owned());
                entries.push(Entry::Object(Object { version, ..object(&format!("{number:07}"), Some(SIZE)) })).await?;
            }
            Ok(())
        }
        "false-listing" => Err(error::io("there was more")),
        _ => Ok(()),
    }
}

/// The size that is announced.
pub(crate) fn size(crime: &Crime) -> u64 {
    match crime.name() {
        "gigantic" => u64::MAX,
        "wild-offset" => 11 << 20,
        _ => SIZE,
    }
}

async fn push(entries: &mut Entries, key: &str) -> Result<(), Error> {
    entries.push(Entry::Object(object(key, Some(SIZE)))).await
}

/// A folder's listing, which only crimes have.
async fn inside(entries: &mut Entries, folder: &str, crime: &Crime) -> Result<(), Error> {
    match crime.name() {
        "deep-folders" => entries.push(Entry::Folder(directory(&format!("{folder}/d")))).await,
        _ => entries.push(Entry::Folder(directory(folder))).await,
    }
}

fn directory(key: &str) -> Object {
    Object { kind: "directory".to_owned(), ..object(key, None) }
}

async fn keys(entries: &mut Entries) -> Result<(), Error> {
    let long = "x".repeat(5000);
    let names = ["../../etc/passwd", "/abs", "a/../../b", "", "nul\0nul", "trailing/", "a//b", ".", "..", "./a", &long];
    for key in names {
        push(entries, key).await?;
    }
    Ok(())
}

/// Each part of a record in a size that no store has.
async fn records(entries: &mut Entries) -> Result<(), Error> {
    let attribute = Attribute { name: "n".repeat(1000), value: "v".repeat(1000) };
    let good = object("attributes", Some(SIZE));
    entries.push(Entry::Object(Object { attributes: vec![attribute; 1000], ..good })).await?;
    let good = object("version", Some(SIZE));
    entries.push(Entry::Object(Object { version: Some("v".repeat(1 << 20)), ..good })).await?;
    let odd = Object { kind: "k".repeat(1 << 20), ..object("kind", Some(SIZE)) };
    entries.push(Entry::Object(odd)).await?;
    let error = error::io("e".repeat(1 << 20));
    entries.push(Entry::Unreadable(Unreadable { key: "u".repeat(1 << 20), error })).await
}

/// Numbers at the ends of their types.
async fn extremes(entries: &mut Entries) -> Result<(), Error> {
    for (number, seconds) in [i64::MAX, i64::MIN, 0].into_iter().enumerate() {
        let modified = Some(Instant { seconds, nanoseconds: u32::MAX });
        let key = format!("extreme-{number}");
        entries.push(Entry::Object(Object { modified, ..object(&key, Some(u64::MAX)) })).await?;
    }
    Ok(())
}

/// What can be seen of the machine, as an object's name.
async fn environment(entries: &mut Entries) -> Result<(), Error> {
    // Nobody may read this.
    let _ = writeln!(std::io::stdout(), "a guest's line");
    let _ = writeln!(std::io::stderr(), "a guest's line");
    let (variables, arguments) = (std::env::vars().count(), std::env::args().count());
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |now| now.as_secs());
    push(entries, &format!("seen-{variables}-{arguments}-{seconds}")).await
}

/// Links that lead out of the sink, and objects behind them.
async fn planted_link(entries: &mut Entries) -> Result<(), Error> {
    let path = &CONFIG.with(Configured::get)?.path;
    for (name, target) in [("up", ".."), ("out", path), ("root", "/")] {
        let attributes = vec![Attribute { name: "posix.target".to_owned(), value: target.to_owned() }];
        let link = Object { kind: "symlink".to_owned(), attributes, ..object(name, Some(0)) };
        entries.push(Entry::Object(link)).await?;
    }
    // Alone, so that the links are there before anything goes through them.
    entries.flush().await?;
    push(entries, "up/planted").await?;
    push(entries, "up/up/planted").await?;
    push(entries, "out/planted").await?;
    push(entries, &format!("root{path}/planted")).await
}
