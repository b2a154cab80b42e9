//! How a command ends: the exit codes that scripts rely on, and the one failure type of this crate.

use std::{fmt, process::ExitCode};

/// Exit codes, as the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// Wrong arguments or a wrong file: nothing was touched.
    Usage = 1,
    /// Some objects failed; the others are done.
    SomeFailed = 2,
    /// The run couldn't go on.
    CouldNotGoOn = 3,
    /// Interrupted by a signal (128 + SIGINT).
    Interrupted = 130,
}

/// Why a command ended before its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What happened and what to do; may have several lines.
    pub(crate) message: String,
}

// === impl Exit ===

impl Exit {
    /// The one that a script must hear of, of two rounds.
    pub(crate) fn worse(self, other: Self) -> Self {
        if self as u8 >= other as u8 { self } else { other }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

// === impl Failure ===

impl Failure {
    /// Wrong arguments or a wrong file.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// Nothing wrong with what was asked, but it can't be done.
    pub(crate) fn could_not_go_on(message: impl fmt::Display) -> Self {
        Self { exit: Exit::CouldNotGoOn, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}
