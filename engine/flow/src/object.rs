//! What is moved: keys, objects, their checksums and attributes. A [`Key`] can't be invalid.

use std::{collections::BTreeMap, collections::BTreeSet, fmt, sync::Arc, time::SystemTime};

/// Longest key in bytes: Linux's `PATH_MAX`; object stores stop at 1024.
pub const MAX_KEY_BYTES: usize = 4096;

/// Path of an object below its connector's root: not empty, at most [`MAX_KEY_BYTES`], segments
/// separated by `/`, none of them empty, `.` or `..`, no NUL. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Why a text isn't a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("the key is empty")]
    Empty,
    #[error("the key is longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
    #[error("the key contains a NUL byte")]
    Nul,
    #[error("the key starts or ends with a slash, or has two in a row")]
    EmptySegment,
    #[error("the key has a \".\" or \"..\" segment")]
    DotSegment,
}

/// One file or blob as its store reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub key: Key,
    pub kind: Kind,
    /// Bytes; none where the store can't tell before the last one.
    pub size: Option<u64>,
    pub modified: Option<SystemTime>,
    /// Opaque tag of this content: equal tags mean equal bytes.
    pub version: Option<Arc<str>>,
    /// What the store itself knows.
    pub checksums: Checksums,
    /// Name to value, names as in `wit/types.wit`.
    pub attributes: BTreeMap<String, String>,
}

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    /// Anything else that a store names; it's skipped and reported with this word.
    Other(String),
}

/// Checksum algorithms that the engine computes, once per byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// That of zlib and Ethernet.
    Crc32,
    Crc32c,
    Crc64Nvme,
    /// CRC-64/XZ, which OSS calls CRC64-ECMA.
    Crc64Xz,
    Md5,
    Sha256,
}

/// Algorithm to raw digest, big-endian for CRCs.
pub type Checksums = BTreeMap<Algorithm, Vec<u8>>;

/// One item of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Object(Object),
    /// A level below, to be listed by its key.
    Folder(Object),
    /// Something that can't be moved: its name as far as it can be written, and why.
    Unreadable {
        name: String,
        error: crate::error::Error,
    },
}

/// A slice of an object's bytes, by offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub offset: u64,
    /// None: to the end.
    pub length: Option<u64>,
}

/// What a connector said it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

// === impl Key ===

impl Key {
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        if text.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if text.len() > MAX_KEY_BYTES {
            return Err(InvalidKey::TooLong);
        }
        if text.contains('\0') {
            return Err(InvalidKey::Nul);
        }
        for segment in text.split('/') {
            match segment {
                "" => return Err(InvalidKey::EmptySegment),
                "." | ".." => return Err(InvalidKey::DotSegment),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

/// Control characters are escaped: a key comes from outside and goes to terminals.
impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                fmt::Write::write_char(formatter, character)?;
            }
        }
        Ok(())
    }
}

// === impl Kind ===

impl Kind {
    pub fn parse(kind: &str) -> Self {
        match kind {
            "file" => Self::File,
            "directory" => Self::Directory,
            "symlink" => Self::Symlink,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Other(other) => other,
        }
    }
}

// === impl Algorithm ===

impl Algorithm {
    pub const ALL: [Self; 6] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Crc64Xz, Self::Md5, Self::Sha256];

    /// The word that connectors use; none for an algorithm that the engine doesn't compute.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64-nvme",
            Self::Crc64Xz => "crc64-xz",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }

    /// Length of the digest in bytes.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::Crc64Xz => 8,
            Self::Md5 => 16,
            Self::Sha256 => 32,
        }
    }
}

// === impl Capabilities ===

impl Capabilities {
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().collect())
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// The algorithms of its `checksum:<algorithm>` words that the engine computes too.
    pub fn checksums(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.0.iter().filter_map(|word| Algorithm::parse(word.strip_prefix("checksum:")?))
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
