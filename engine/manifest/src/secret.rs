//! A text that can't print itself. Doesn't wipe its memory: it guards logs and reports, not core dumps.

use std::fmt;

/// A text that never appears in a log, an error or a report.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

pub(crate) const REDACTED: &str = "[redacted]";

// === impl Secret ===

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the one who has to send it, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}
