//! A sink that keeps objects in its folder, and flips one bit of each at the first attempt. Tells the
//! truth about what it stored: the host reads it back.

use culvert_sdk::{
    FutureReader, StreamReader, StreamResult, error,
    posix::{self, Changes, Writing},
    stream,
    types::{Checksum, Error, Object},
    wasi::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
};

use crate::sandbox;

const ALGORITHM: &str = "crc64-nvme";

pub(crate) async fn put(
    object: Object,
    mut data: StreamReader<u8>,
    whole: FutureReader<Result<Vec<Checksum>, Error>>,
) -> Result<Object, Error> {
    let root = sandbox::root();
    let failed = |code: ErrorCode| error::io(format!("{code:?}"));
    // Whoever makes the mark is the first.
    let mark = format!(".flipped-{}", object.key);
    let once = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let mut flips = root.open_at(PathFlags::empty(), mark, once, DescriptorFlags::WRITE).await.is_ok();
    let (copy, _) = stream::produce(async move |copy| {
        loop {
            let (result, mut bytes) = data.read(Vec::with_capacity(1 << 16)).await;
            if let Some(byte) = bytes.first_mut()
                && std::mem::take(&mut flips)
            {
                *byte ^= 1;
            }
            copy.write(bytes).await?;
            if result == StreamResult::Dropped {
                return Ok(());
            }
        }
    });
    let writing = Writing {
        temporary: format!(".new-{}", object.key),
        path: object.key.clone(),
        size: object.size,
        changes: Changes { mode: None, uid: None, gid: None, modified: object.modified },
        checksum: None,
        sync: false,
        replace: true,
    };
    let written = posix::write_file(&root, writing, copy, whole).await;
    let status = written.map_err(|failure| error::io(format!("{failure:?}")))?.status;
    let opened = root.open_at(PathFlags::empty(), object.key.clone(), OpenFlags::empty(), DescriptorFlags::READ).await;
    let file = opened.map_err(failed)?;
    let value = posix::checksum(&file, ALGORITHM.to_owned(), 0, status.size).await.map_err(failed)?;
    let checksums = vec![Checksum { algorithm: ALGORITHM.to_owned(), value }];
    Ok(Object { size: Some(status.size), checksums, ..object })
}

pub(crate) async fn delete(key: String) -> Result<(), Error> {
    sandbox::root().unlink_file_at(key).await.map_err(|code| error::io(format!("{code:?}")))
}
