//! The folder that a pipeline grants, for connectors that keep objects as files: which one it is, what is
//! in it as entries and objects, and what killed runs left in it. Follows no link and opens nothing.

use crate::{
    error::{self, filesystem, quote},
    key::join,
    posix::{self, Failure, Kind, Status},
    temporary::Names,
    types::{Entry, Error, Object, Unreadable},
    wasi::{
        clocks::system_clock::Instant,
        filesystem::{
            preopens,
            types::{Descriptor, ErrorCode},
        },
    },
};

/// What the host calls a folder: the root, whose key is empty, is `.`.
pub fn path(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}

/// The folder that was granted.
///
/// # Errors
/// `invalid-config` if there is none: no property of the schema has `"x-grant": "folder"`.
pub fn granted() -> Result<Descriptor, Error> {
    match preopens::get_directories().into_iter().next() {
        Some((folder, _)) => Ok(folder),
        None => Err(error::invalid_config("path: the engine granted no folder for it")),
    }
}

/// What is at a path, as an object.
///
/// # Errors
/// `not-found`, or it can't be looked at.
pub fn stat(root: &Descriptor, key: &str) -> Result<Object, Error> {
    let status = posix::status_at(root, path(key)).map_err(|code| filesystem("look at", key, code))?;
    Ok(object(key, &status))
}

/// A file's kind, size, time and version under a key.
pub fn object(key: &str, status: &Status) -> Object {
    let (kind, is_file) = match status.kind {
        Kind::File => ("file", true),
        Kind::Directory => ("directory", false),
        Kind::Symlink => ("symlink", false),
        Kind::Other => ("other", false),
    };
    Object {
        kind: kind.to_owned(),
        modified: Some(status.modified),
        version: is_file.then(|| version(status)),
        ..Object::file(key, if is_file { status.size } else { 0 })
    }
}

/// Equal tags mean equal bytes: no content changes without its change time, which nobody can set.
pub fn version(status: &Status) -> String {
    let time = |Instant { seconds, nanoseconds }: Instant| format!("{seconds:x}.{nanoseconds:x}");
    format!("{:x}-{:x}-{}-{}", status.inode, status.size, time(status.modified), time(status.changed))
}

/// A name in `folder`, as `posix.list-directory` tells it, for a listing.
pub fn entry(folder: &str, found: posix::Entry) -> Entry {
    let key = join(folder, &found.name);
    if !found.exact {
        let error = error::invalid_key(format!("the name {} isn't UTF-8; rename it", quote(&found.name)));
        return Entry::Unreadable(Unreadable { key, error });
    }
    match found.status {
        Ok(status) if status.kind == Kind::Directory => Entry::Folder(object(&key, &status)),
        Ok(status) if status.kind == Kind::Symlink => {
            let error = error::unsupported(format!("{} is a symbolic link, which isn't followed", quote(&key)));
            Entry::Unreadable(Unreadable { key, error })
        }
        Ok(status) => Entry::Object(object(&key, &status)),
        Err(code) => {
            let error = filesystem("look at", &key, code);
            Entry::Unreadable(Unreadable { key, error })
        }
    }
}

/// Lists the folder as far as its first name: proves that it may be read.
///
/// # Errors
/// It may not, or it isn't there.
pub async fn check(root: &Descriptor) -> Result<(), Error> {
    let (mut names, done) = posix::list_directory(root, path(""));
    match names.next().await {
        Some(_) => Ok(()),
        None => done.await.map_err(|code| filesystem("list", path(""), code)),
    }
}

/// Deletes a file, a link or an empty folder; there may be none.
///
/// # Errors
/// It's still there.
pub async fn delete(root: &Descriptor, key: &str) -> Result<(), Error> {
    let refused = match root.unlink_file_at(key.to_owned()).await {
        Ok(()) | Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => return Ok(()),
        // Linux says the first of a directory, POSIX the second.
        Err(code @ (ErrorCode::IsDirectory | ErrorCode::NotPermitted)) => code,
        Err(code) => return Err(filesystem("delete", key, code)),
    };
    match root.remove_directory_at(key.to_owned()).await {
        Ok(()) | Err(ErrorCode::NoEntry) => Ok(()),
        // It's no directory: the first refusal was about the file.
        Err(ErrorCode::NotDirectory) => Err(filesystem("delete", key, refused)),
        Err(code) => Err(filesystem("delete the folder", key, code)),
    }
}

/// A failure of `posix.write-file` as an error: the code by which the engine knows whether to try again.
pub fn unwritten(key: &str, failure: Failure) -> Error {
    let key_quoted = quote(key);
    match failure {
        Failure::Refused((_, code)) => filesystem("write", key, code),
        Failure::Body(error) => error,
        Failure::Length(written) => error::truncated(format!("{written} bytes of {key_quoted} came, not its size")),
        Failure::Mismatch => error::checksum_mismatch(format!("{key_quoted} reads back with another checksum")),
    }
}

/// Removes the temporary files of this owner in the whole tree, all but those in `keep`; returns how
/// many. Holds the folders still to be looked at.
///
/// # Errors
/// A folder can't be listed, or a file not be removed.
pub async fn sweep(root: &Descriptor, names: &Names, keep: &[String]) -> Result<u64, Error> {
    let (mut removed, mut folders) = (0, vec![String::new()]);
    while let Some(folder) = folders.pop() {
        let (mut found, done) = posix::list_directory(root, path(&folder));
        while let Some(it) = found.next().await {
            let key = join(&folder, &it.name);
            if names.is_own(&it.name) && !keep.contains(&key) {
                delete(root, &key).await?;
                removed += 1;
            } else if it.exact && it.status.is_ok_and(|status| status.kind == Kind::Directory) {
                folders.push(key);
            }
        }
        done.await.map_err(|code| filesystem("list", path(&folder), code))?;
    }
    Ok(removed)
}

// === impl Object ===

impl Object {
    /// A file of which no more than its size is known: for `..Object::file(key, size)`.
    pub fn file(key: &str, size: u64) -> Self {
        Self {
            key: key.to_owned(),
            kind: "file".to_owned(),
            size: Some(size),
            modified: None,
            version: None,
            checksums: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: Kind) -> Status {
        let time = Instant { seconds: 16, nanoseconds: 255 };
        Status { kind, size: 5, modified: time, changed: time, mode: 0o644, uid: 0, gid: 0, inode: 10 }
    }

    #[test]
    fn a_file_is_told_with_its_version() {
        let object = object("a/b", &status(Kind::File));
        assert_eq!((object.kind.as_str(), object.size), ("file", Some(5)));
        assert_eq!(object.version.as_deref(), Some("a-5-10.ff-10.ff"));
        let later = Status { changed: Instant { seconds: 16, nanoseconds: 256 }, ..status(Kind::File) };
        assert_ne!(version(&later), version(&status(Kind::File)));
    }

    #[test]
    fn a_folder_is_a_level_and_what_cant_be_named_is_unreadable() {
        let found = |exact, status| posix::Entry { name: "n".to_owned(), exact, status };
        assert!(matches!(entry("f", found(true, Ok(status(Kind::Directory)))), Entry::Folder(it) if it.key == "f/n"));
        assert!(matches!(entry("", found(true, Ok(status(Kind::File)))), Entry::Object(it) if it.key == "n"));
        assert!(matches!(entry("", found(false, Ok(status(Kind::File)))), Entry::Unreadable(_)));
    }
}
