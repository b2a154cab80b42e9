//! What a put depends on, so that nobody's object is replaced unseen: that nothing is there, or that
//! what was compared still is. The store itself checks it; this only says so and reads the answer.

use culvert_sdk::{
    error::{self, quote},
    sink::Replace,
    types::{Error, Object},
};
use serde::{Deserialize, Serialize};

use super::exists;
use crate::client::{Seen, Store};

/// A condition of a put.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Condition {
    /// Whatever is there is replaced.
    #[default]
    None,
    /// Nothing may ever be replaced.
    New,
    /// Nothing was there when it was compared.
    StillAbsent,
    /// What was compared has this ETag.
    Still(String),
}

// === impl Store ===

impl Store {
    /// Keeps what the engine was told of a key: it decides by that whether to put.
    pub(super) fn remember(&self, key: String, found: &Result<Object, Error>) {
        let seen = match found {
            Ok(object) if object.kind == "file" => object.version.clone().map(|etag| Seen { key, etag: Some(etag) }),
            Err(error) if error.code == "not-found" => Some(Seen { key, etag: None }),
            _ => None,
        };
        *self.seen.borrow_mut() = seen;
    }

    /// The condition for a put of this key. What was seen counts once: after a put that failed nobody
    /// knows what is there.
    pub(super) fn condition(&self, key: &str, replace: Replace) -> Condition {
        let seen = self.seen.borrow_mut().take().filter(|seen| seen.key == key);
        match (replace, seen) {
            _ if !self.config.conditional_writes => Condition::None,
            (Replace::Never, _) => Condition::New,
            (Replace::Always, Some(_)) if !self.knows_conditions.get() => Condition::None,
            (Replace::Always, Some(Seen { etag: Some(etag), .. })) => Condition::Still(etag),
            (Replace::Always, Some(Seen { etag: None, .. })) => Condition::StillAbsent,
            (Replace::Always, None) => Condition::None,
        }
    }

    /// What an error of a conditional put means. A store that turns out to know no conditions isn't
    /// given one again, where it's only an optimistic one.
    pub(super) fn conditional(&self, error: Error, key: &str, condition: &Condition) -> Error {
        let name = quote(key);
        match (condition, error.code.as_str()) {
            (Condition::New, "precondition-failed") => exists(key),
            (Condition::New, "unsupported") => {
                let message = format!("{}; set conditional_writes = false for this store", error.message);
                error::unsupported(message)
            }
            (Condition::StillAbsent | Condition::Still(_), "precondition-failed") => {
                error::changed(format!("{name} at the sink isn't what it was when it was compared"))
            }
            (Condition::Still(_), "not-found") => {
                error::changed(format!("{name} at the sink is gone since it was compared"))
            }
            (Condition::StillAbsent | Condition::Still(_), "unsupported") => {
                self.knows_conditions.set(false);
                error::unavailable(format!("{}; going on without conditions", error.message))
            }
            _ => error,
        }
    }
}

// === impl Condition ===

impl Condition {
    pub(super) fn if_none_match(&self) -> Option<String> {
        matches!(self, Self::New | Self::StillAbsent).then(|| "*".to_owned())
    }

    pub(super) fn if_match(&self) -> Option<String> {
        match self {
            Self::Still(etag) => Some(etag.clone()),
            _ => None,
        }
    }
}
