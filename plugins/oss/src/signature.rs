//! Signatures of requests, V4 and V1. Puts them into headers, never into a URL, and reads no clock:
//! the caller says what time it is.

#[cfg(test)]
mod tests;
mod v1;
mod v4;

use std::fmt;

use culvert_sdk::time;
use serde::Deserialize;

use crate::request::Draft;

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Version {
    #[default]
    V4,
    /// For older self-managed and compatible services.
    V1,
}

/// Who signs.
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    /// What belongs to a temporary key.
    pub(crate) token: Option<String>,
}

/// For what a signature is good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) version: Version,
    /// As in `cn-hangzhou`; only V4 signs it.
    pub(crate) region: &'a str,
    pub(crate) bucket: &'a str,
}

// === impl Signer ===

impl Signer {
    /// Adds the date, the token and the signature. `now` is in seconds since 1970.
    pub(crate) fn sign(&self, mut draft: Draft, scope: Scope<'_>, now: i64) -> Draft {
        draft = draft.header("date", time::to_header(now));
        draft = draft.maybe_header("x-oss-security-token", self.token.as_deref());
        let authorization = match scope.version {
            Version::V4 => {
                draft = draft.header("x-oss-date", time::to_basic(now)).header("x-oss-content-sha256", v4::UNSIGNED);
                v4::authorization(self, &draft, scope, &time::to_basic(now))
            }
            Version::V1 => v1::authorization(self, &draft, scope),
        };
        draft.header("authorization", authorization)
    }
}

/// The secret half and the token stay out.
impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Headers that are signed whatever they say, `name:value` a line, in the order of their names.
fn signed_headers(draft: &Draft, is_signed: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<_> = draft.headers.iter().filter(|(name, _)| is_signed(name)).collect();
    lines.sort();
    lines.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect()
}
