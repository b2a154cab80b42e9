//! The source's readings, good and bad.

use std::future::pending;

use culvert_sdk::{
    FutureReader, StreamReader, error,
    source::{Guest, Reading},
    stream::{self, Data},
    types::{Entry, Error, Object, Range},
    wasi::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags},
};

use crate::{
    Hostile, SIZE,
    crime::{self, Crime},
    listing, object, sandbox,
};

impl Guest for Hostile {
    async fn list(
        folder: String,
        _after: Option<String>,
    ) -> Result<(StreamReader<Entry>, FutureReader<Result<(), Error>>), Error> {
        let crime = Crime::of_instance();
        crime.commit("list").await;
        Ok(stream::listing(async move |entries| listing::list(entries, &folder, &crime).await))
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let crime = Crime::of(&key);
        crime.commit("stat").await;
        Ok(object(&key, Some(listing::size(&crime))))
    }

    async fn read(key: String, range: Range, _version: Option<String>) -> Result<Reading, Error> {
        let crime = Crime::of(&key);
        crime.commit("read").await;
        let size = listing::size(&crime);
        let mut opened = object(&key, Some(size));
        match crime.name() {
            "escaping-error" => return Err(error::internal("\u{1b}[2J\u{1b}]0;owned\u{7} \r\n forged line")),
            "leave-source" => sandbox::leave_source().await?,
            "change-source" => sandbox::change_source().await?,
            "hoard-files" => hoard_files().await?,
            "misname-read" => opened.key = "another".to_owned(),
            "resize-read" => opened.size = Some(SIZE + 1),
            "wild-offset" => return wild_offset(opened).await,
            _ if key.contains('\u{1b}') => return Err(error::io(key)),
            _ => {}
        }
        let length = range.length.unwrap_or(size).min(size - range.offset.min(size)).min(1 << 24);
        let length = usize::try_from(length).unwrap_or(0);
        let (data, outcome) = stream::produce(async move |data| bytes(data, length, &crime).await);
        Ok(Reading { object: opened, data, outcome })
    }
}

async fn bytes(data: &mut Data, length: usize, crime: &Crime) -> Result<(), Error> {
    crime.commit("data").await;
    match crime.name() {
        "longer" => data.write(vec![7; length + 5]).await?,
        "shorter" => data.write(vec![7; length - 5]).await?,
        "stuck-data" => pending().await,
        "empty-data" => loop {
            // What this writes is nothing, and it's always ready to write more of it.
            data.write(vec![]).await?;
            crime::turn().await;
        },
        _ => data.write(vec![7; length]).await?,
    }
    crime.commit("outcome").await;
    match crime.name() {
        "endless-data" => loop {
            data.write(vec![7; 1 << 16]).await?;
        },
        "silent-outcome" => pending().await,
        "false-outcome" => Err(error::io("it wasn't whole after all")),
        _ => Ok(()),
    }
}

/// A file of its own, from where no file has anything.
async fn wild_offset(object: Object) -> Result<Reading, Error> {
    let (path, flags) = ("file".to_owned(), DescriptorFlags::READ);
    let file = sandbox::root().open_at(PathFlags::empty(), path, OpenFlags::empty(), flags).await;
    let file = file.map_err(|_| error::internal("the test's file is missing"))?;
    let (data, _) = file.read_via_stream(u64::MAX - 10);
    let outcome = stream::outcome(async { Ok(()) });
    Ok(Reading { object, data, outcome })
}

/// Opens the same folder until it can't be opened any more, and closes none.
async fn hoard_files() -> Result<(), Error> {
    let root = sandbox::root();
    loop {
        let (flags, open) = (DescriptorFlags::READ, OpenFlags::DIRECTORY);
        match root.open_at(PathFlags::empty(), ".".to_owned(), open, flags).await {
            Ok(folder) => std::mem::forget(folder),
            Err(_) => return Err(error::io("that's all there is")),
        }
    }
}
