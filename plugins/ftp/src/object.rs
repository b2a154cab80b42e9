//! Items of a listing and answers about single files to objects of the contract.

use culvert_sdk::{
    error::{self, quote},
    key::join,
    types::{Attribute, Entry, Object, Unreadable},
    wasi::clocks::system_clock::Instant,
};

use crate::{
    listing::{Item, Kind},
    path::Root,
};

/// The entry of an item in a folder.
pub(crate) fn entry(root: &Root, folder: &str, item: &Item) -> Entry {
    match named(root, folder, item) {
        Ok(object) if item.kind == Kind::Directory => Entry::Folder(object),
        Ok(object) => Entry::Object(object),
        Err(unreadable) => Entry::Unreadable(unreadable),
    }
}

fn named(root: &Root, folder: &str, item: &Item) -> Result<Object, Unreadable> {
    let name = root.name(&item.name).map_err(|name| {
        let error = error::invalid_key(format!(
            "the name {} isn't UTF-8; write encoding = \"latin-1\" if the server's names are",
            quote(&name)
        ));
        Unreadable { key: join(folder, &name), error }
    })?;
    let key = join(folder, &name);
    if name.contains(['\r', '\0']) {
        let error = error::invalid_key(format!("the name {} can't be sent to the server again", quote(&name)));
        return Err(Unreadable { key, error });
    }
    Ok(object(root, key, item))
}

/// The object at `key`.
pub(crate) fn object(root: &Root, key: String, item: &Item) -> Object {
    let mut attributes = Vec::new();
    // A link's own mode says nothing.
    if let (Some(mode), Kind::File | Kind::Directory) = (item.mode, &item.kind) {
        attributes.push(Attribute { name: "posix.mode".to_owned(), value: format!("{mode:04o}") });
    }
    if let Kind::Symlink(Some(target)) = &item.kind
        && let Ok(target) = root.name(target)
    {
        attributes.push(Attribute { name: "posix.target".to_owned(), value: target });
    }
    let kind = match &item.kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink(_) => "symlink",
        Kind::Other(other) => other,
    };
    let size = if item.kind == Kind::File { item.size } else { Some(0) };
    plain(key, kind, size, item.modified, attributes)
}

/// A file of which size and time were asked for.
pub(crate) fn file(key: String, size: Option<u64>, modified: Option<Instant>) -> Object {
    plain(key, "file", size, modified, Vec::new())
}

/// Something of another kind than a file.
pub(crate) fn directory(key: String, modified: Option<Instant>) -> Object {
    plain(key, "directory", Some(0), modified, Vec::new())
}

fn plain(key: String, kind: &str, size: Option<u64>, modified: Option<Instant>, attributes: Vec<Attribute>) -> Object {
    let version = match (kind, size, modified) {
        ("file", Some(size), Some(modified)) => Some(Version { size, modified }.text()),
        _ => None,
    };
    Object { key, kind: kind.to_owned(), size, modified, version, checksums: Vec::new(), attributes }
}

/// All that a server tells of a file's content: a file that's written twice within a second, with as many
/// bytes, is the same to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Version {
    pub(crate) size: u64,
    pub(crate) modified: Instant,
}

// === impl Version ===

impl Version {
    /// As an object's tag, a weak one.
    fn text(self) -> String {
        let Self { size, modified: Instant { seconds, nanoseconds } } = self;
        format!("W/{size}@{seconds}.{nanoseconds:09}")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (size, time) = text.strip_prefix("W/")?.split_once('@')?;
        let (seconds, nanoseconds) = time.split_once('.')?;
        let modified = Instant { seconds: seconds.parse().ok()?, nanoseconds: nanoseconds.parse().ok()? };
        Some(Self { size: size.parse().ok()?, modified })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_was_written() {
        for (size, seconds, nanoseconds) in [(0, 0, 0), (u64::MAX, -1, 999_999_999), (4096, 1_772_323_199, 5)] {
            let version = Version { size, modified: Instant { seconds, nanoseconds } };
            assert_eq!(Version::parse(&version.text()), Some(version));
        }
        for text in ["", "W/4096", "W/4096@", "W/-1@0.0", "W/1@0", "W/x@0.0", "1@0.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
