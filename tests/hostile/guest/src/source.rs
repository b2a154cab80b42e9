//! The source: five good objects, and what its behaviour adds.

use std::future::pending;

use culvert_sdk::{
    FutureReader, StreamReader, error,
    source::{Guest, Reading},
    stream::{self, Data, Entries},
    types::{Attribute, Entry, Error, Object, Range, Unreadable},
    wasi::filesystem::{
        preopens,
        types::{DescriptorFlags, OpenFlags, PathFlags},
    },
};

use crate::{Hostile, SIZE, crime, is, object};

impl Guest for Hostile {
    async fn list(
        _folder: String,
        _after: Option<String>,
    ) -> Result<(StreamReader<Entry>, FutureReader<Result<(), Error>>), Error> {
        crime::commit("list");
        Ok(stream::listing(async |entries| list(entries).await))
    }

    async fn stat(key: String) -> Result<Object, Error> {
        crime::commit("stat");
        Ok(object(&key, Some(SIZE)))
    }

    async fn read(key: String, range: Range, _version: Option<String>) -> Result<Reading, Error> {
        let bad = key.starts_with("bad");
        if bad {
            crime::commit("read");
        }
        if bad && is("escapes") {
            return Err(error::internal("\u{1b}[2J\u{1b}]0;owned\u{7} \r\n forged line"));
        }
        if bad && is("leave-root") {
            leave_root().await?;
        }
        if bad && is("misname-read") {
            let (data, outcome) = stream::produce(async |data| data.write(vec![7; 10]).await);
            return Ok(Reading { object: object("another", Some(SIZE)), data, outcome });
        }
        let length = range.length.unwrap_or(SIZE - range.offset.min(SIZE));
        let length = usize::try_from(length).unwrap_or(0);
        let (data, outcome) = stream::produce(async move |data| bytes(data, length, bad).await);
        Ok(Reading { object: object(&key, Some(SIZE)), data, outcome })
    }
}

async fn bytes(data: &mut Data, length: usize, bad: bool) -> Result<(), Error> {
    let mut sent = length;
    if bad && is("longer") {
        sent += 5;
    }
    if bad && is("shorter") {
        sent -= 5;
    }
    if bad && is("stuck-data") {
        return pending().await;
    }
    data.write(vec![7; sent]).await?;
    if bad && is("endless-data") {
        loop {
            data.write(vec![7; 1 << 16]).await?;
        }
    }
    if bad && is("silent-outcome") {
        return pending().await;
    }
    if bad && is("false-outcome") {
        return Err(error::io("it wasn't whole after all"));
    }
    Ok(())
}

async fn list(entries: &mut Entries) -> Result<(), Error> {
    for number in 0..5 {
        entries.push(Entry::Object(object(&format!("good-{number}"), Some(SIZE)))).await?;
    }
    entries.push(Entry::Object(object("bad", Some(SIZE)))).await?;
    if is("keys") {
        let long = "x".repeat(5000);
        for key in ["../../etc/passwd", "/abs", "a/../../b", "", "nul\0nul", "trailing/", "a//b", ".", &long] {
            entries.push(Entry::Object(object(key, Some(SIZE)))).await?;
        }
    }
    if is("folders") {
        // A folder that leads out, and one that contains itself.
        entries.push(Entry::Folder(object("../up", None))).await?;
        entries.push(Entry::Folder(object("again", None))).await?;
    }
    if is("records") {
        entries.push(Entry::Object(oversized())).await?;
        let error = error::io("e".repeat(100_000));
        entries.push(Entry::Unreadable(Unreadable { key: "u".repeat(100_000), error })).await?;
    }
    if is("environment") {
        let (variables, arguments) = (std::env::vars().count(), std::env::args().count());
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        entries.push(Entry::Object(object(&format!("env-{variables}-{arguments}-{seconds}"), Some(SIZE)))).await?;
    }
    if is("write-source") {
        let root = preopens::get_directories().remove(0).0;
        let (create, write) = (OpenFlags::CREATE, DescriptorFlags::WRITE);
        let opened = root.open_at(PathFlags::empty(), "planted".to_owned(), create, write).await;
        let word = if opened.is_ok() { "planted" } else { "refused" };
        entries.push(Entry::Object(object(word, Some(SIZE)))).await?;
    }
    if is("stalled-listing") {
        entries.flush().await?;
        return pending().await;
    }
    if is("endless-listing") {
        for number in 0_u64.. {
            entries.push(Entry::Object(object(&format!("endless-{number:020}"), Some(SIZE)))).await?;
        }
    }
    if is("wide-listing") {
        for number in 0..20_000 {
            let key = format!("wide-{number:06}-{}", "w".repeat(3000));
            entries.push(Entry::Object(object(&key, Some(SIZE)))).await?;
        }
    }
    Ok(())
}

fn oversized() -> Object {
    let attribute = Attribute { name: "n".repeat(1000), value: "v".repeat(1000) };
    Object { attributes: vec![attribute; 1000], ..object("oversized", Some(SIZE)) }
}

/// Succeeds if anything outside the granted folder can be opened.
async fn leave_root() -> Result<(), Error> {
    let root = preopens::get_directories().remove(0).0;
    for path in ["../secret", "/etc/passwd", "link/secret", "./../secret"] {
        let flags = [PathFlags::empty(), PathFlags::SYMLINK_FOLLOW];
        for flags in flags {
            if root.open_at(flags, path.to_owned(), OpenFlags::empty(), DescriptorFlags::READ).await.is_ok() {
                return Ok(());
            }
        }
        if culvert_sdk::posix::status_at(&root, path).is_ok() {
            return Ok(());
        }
    }
    if std::fs::read("/etc/passwd").is_ok() {
        return Ok(());
    }
    Err(error::permission_denied("every way out is closed"))
}
