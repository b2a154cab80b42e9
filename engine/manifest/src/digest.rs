//! SHA-256 of a connector or of what a registry says of it. Takes no other algorithm.

use std::{fmt, str::FromStr};

use crate::problem::Invalid;

/// Length of one in hex digits.
const DIGITS: usize = 64;
/// What a registry writes before it.
const ALGORITHM: &str = "sha256:";

/// Written `sha256:` and 64 hex digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    hex: String,
}

// === impl Digest ===

impl Digest {
    /// From 64 hex digits, as the engine writes what it computed.
    ///
    /// # Errors
    /// They aren't.
    pub fn from_hex(hex: &str) -> Result<Self, Invalid> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == DIGITS && hex.bytes().all(is_hex) {
            return Ok(Self { hex: hex.to_owned() });
        }
        let fix = "write 64 hex digits in lower case, as `sha256sum` and `engine connector inspect` print them";
        Err(Invalid::new("this isn't a SHA-256", fix))
    }

    /// Without the algorithm's name.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    /// With the algorithm's name or without.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::from_hex(text.strip_prefix(ALGORITHM).unwrap_or(text))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{ALGORITHM}{}", self.hex)
    }
}
