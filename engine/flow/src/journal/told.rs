//! What became of an object as one agent tells another: the journal's entries of objects in JSON. Checked when
//! it's taken in; what isn't one is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Entry, Item, Proof,
    codes::{self, from_millis, millis},
    record::Skip,
};
use crate::{
    compare::SkipReason,
    error::{Code, Error},
    object::{Key, Object},
    transfer::Moved,
};

/// One object's end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Told {
    Moved {
        item: Form,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        checksums: String,
        grade: Option<i64>,
        attempts: u32,
        /// Milliseconds since 1970.
        at: i64,
    },
    Skipped {
        item: Form,
        reason: i64,
    },
    Failed {
        name: String,
        code: String,
        message: String,
        attempts: u32,
    },
    /// A directory's own attributes; no object of a report.
    Folder {
        item: Form,
    },
}

/// An [`Item`], written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Form {
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "t")]
    kind: i64,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    size: Option<i64>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    modified: Option<i64>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    attributes: Option<i64>,
}

// === impl Told ===

impl Told {
    pub(crate) fn moved(object: &Object, moved: &Moved, attempts: u32) -> Self {
        Self::Moved {
            item: Form::of(object),
            checksums: codes::pack(&moved.checksums).map(|packed| hex(&packed)).unwrap_or_default(),
            grade: moved.grade.map(codes::grade_number),
            attempts,
            at: millis(std::time::SystemTime::now()),
        }
    }

    pub(crate) fn skipped(object: &Object, reason: &SkipReason) -> Self {
        Self::Skipped { item: Form::of(object), reason: Skip::from(reason).0 }
    }

    pub(crate) fn failed(name: &str, error: &Error, attempts: u32) -> Self {
        let (name, message) = (super::record::name(name).to_owned(), super::record::message(&error.message).to_owned());
        Self::Failed { name, code: error.code.as_str().to_owned(), message, attempts }
    }

    pub(crate) fn folder(object: &Object) -> Self {
        Self::Folder { item: Form::of(object) }
    }

    /// How much it says, as [`super::Known::rank`] counts.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Skipped { .. } | Self::Folder { .. } => 2,
            Self::Moved { .. } => 3,
        }
    }

    /// None for a name that can't be a key.
    pub(crate) fn key(&self) -> Option<Key> {
        match self {
            Self::Failed { name, .. } => Key::parse(name).ok(),
            Self::Moved { item, .. } | Self::Skipped { item, .. } | Self::Folder { item } => Key::parse(&item.key).ok(),
        }
    }

    /// # Errors
    /// It isn't what an engine tells.
    pub(crate) fn into_entry(self) -> Result<Entry, Error> {
        Ok(match self {
            Self::Moved { item, checksums, grade, attempts, at } => Entry::Moved {
                item: item.into_item()?,
                proof: Proof {
                    checksums: codes::unpack(&unhex(&checksums).ok_or_else(wrong)?),
                    grade: grade.and_then(codes::grade),
                    attempts,
                },
                now: from_millis(at).ok_or_else(wrong)?,
            },
            Self::Skipped { item, reason } => Entry::Skipped { item: item.into_item()?, reason: Skip(reason) },
            Self::Failed { name, code, message, attempts } => {
                Entry::Failed { name, error: Error::new(Code::from_connector(&code), "move", message), attempts }
            }
            Self::Folder { item } => Entry::Folder { item: item.into_item()? },
        })
    }
}

fn wrong() -> Error {
    Error::new(Code::PROTOCOL, "share", "another agent told what can't be understood: let all be of one version")
}

// === impl Form ===

impl Form {
    fn of(object: &Object) -> Self {
        let Item { key, kind, size, modified, version, attributes } = Item::of(object);
        let version = version.as_deref().map(str::to_owned);
        Self { key: key.as_str().to_owned(), kind, size, modified, version, attributes }
    }

    fn into_item(self) -> Result<Item, Error> {
        let Self { key, kind, size, modified, version, attributes } = self;
        let key = Key::parse(&key).map_err(|_| wrong())?;
        Ok(Item { key, kind, size, modified, version: version.map(Arc::from), attributes })
    }
}

// === digests ===

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// None where it isn't that.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}
