//! The sink: takes everything and keeps nothing, but for what its behaviour says.

use std::future::pending;

use culvert_sdk::{
    FutureReader, StreamReader, StreamResult, error, posix,
    sink::{Guest, Part, Receipt, Replace},
    types::{Checksum, Error, Object},
    wasi::filesystem::{
        preopens,
        types::{DescriptorFlags, OpenFlags, PathFlags},
    },
};

use crate::{Hostile, crime, is};

impl Guest for Hostile {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        _replace: Replace,
    ) -> Result<Object, Error> {
        let bad = object.key.contains("bad");
        if bad {
            crime::commit("put");
        }
        if bad && is("stuck-put") {
            return pending().await;
        }
        if bad && is("hasty-put") {
            return Ok(object);
        }
        if bad && is("leave-root") {
            leave_root().await?;
        }
        let size = drain(data).await;
        let checksums = whole.await?;
        if bad && is("misname-put") {
            return Ok(Object { key: "another".to_owned(), ..object });
        }
        if bad && is("missize-put") {
            return Ok(Object { size: Some(size + 1), ..object });
        }
        if bad && is("mischeck-put") {
            let checksum = Checksum { algorithm: "crc64-nvme".to_owned(), value: vec![1; 8] };
            return Ok(Object { checksums: vec![checksum], ..object });
        }
        Ok(Object { size: Some(size), checksums, ..object })
    }

    async fn begin(object: Object) -> Result<String, Error> {
        crime::commit("begin");
        if is("huge-token") {
            return Ok("t".repeat(1 << 20));
        }
        Ok(object.key)
    }

    async fn write_part(_upload: String, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        crime::commit("write-part");
        drain(data).await;
        if is("wrong-receipt") {
            return Ok(Receipt { part: part.number + 1, token: String::new() });
        }
        if is("huge-receipt") {
            return Ok(Receipt { part: part.number, token: "t".repeat(1 << 20) });
        }
        Ok(Receipt { part: part.number, token: String::new() })
    }

    async fn commit(
        _upload: String,
        object: Object,
        _receipts: Vec<Receipt>,
        _replace: Replace,
    ) -> Result<Object, Error> {
        crime::commit("commit");
        Ok(object)
    }

    async fn abort(_upload: String) -> Result<(), Error> {
        crime::commit("abort");
        Ok(())
    }

    async fn sweep(_keep: Vec<String>) -> Result<u64, Error> {
        Ok(0)
    }

    async fn stat(key: String) -> Result<Object, Error> {
        if key.contains("bad") {
            crime::commit("stat");
        }
        Err(error::not_found(key))
    }

    async fn delete(_key: String) -> Result<(), Error> {
        crime::commit("delete");
        Ok(())
    }
}

/// Takes every byte and says how many there were.
async fn drain(mut data: StreamReader<u8>) -> u64 {
    let mut total = 0;
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        let result;
        (result, buffer) = data.read(buffer).await;
        total += buffer.len() as u64;
        buffer.clear();
        if result == StreamResult::Dropped {
            return total;
        }
    }
}

/// Succeeds if a file can be made outside the granted folder.
async fn leave_root() -> Result<(), Error> {
    let root = preopens::get_directories().remove(0).0;
    let (create, write) = (OpenFlags::CREATE, DescriptorFlags::WRITE);
    // A link is only a name; it's following it that must be refused.
    let _ = posix::symlink_at(&root, "/tmp", "out");
    let _ = posix::symlink_at(&root, "..", "up");
    for path in ["out/culvert-planted", "up/planted", "../planted", "/tmp/culvert-planted"] {
        let opened = root.open_at(PathFlags::SYMLINK_FOLLOW, path.to_owned(), create, write).await;
        if opened.is_ok() || posix::rename_at(&root, "out", path, true).is_ok() {
            return Ok(());
        }
    }
    Err(error::permission_denied("every way out is closed"))
}
