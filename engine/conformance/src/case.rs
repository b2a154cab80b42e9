//! A case: its name, what it needs to apply, and how it ends. Runs nothing.

use std::{fmt, pin::Pin};

use culvert_flow::error::Error;

use crate::{bench::Bench, subject::Subject};

/// One promise and how it's held against a store.
pub struct Case<S: Subject> {
    /// `[a-z0-9-]`, unique in the suite.
    pub name: &'static str,
    /// What is checked, as a sentence that's true of a conforming connector.
    pub about: &'static str,
    pub needs: &'static [Need],
    pub(crate) run: Run<S>,
}

pub(crate) type Run<S> = for<'a> fn(&'a Bench<'a, S>) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// What must be there for a case to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A `[source]`, or a sink that can be read back.
    Reader,
    /// A `[sink]`.
    Sink,
    /// A sink, and something that reads what it has.
    Both,
    /// A capability of the source, or of the sink that's read in its place.
    Reads(&'static str),
    /// A capability of the sink.
    Writes(&'static str),
    /// That the sink doesn't have a capability, which forbids what the case does.
    WritesWithout(&'static str),
    /// A second configuration that's denied everything.
    Denied,
}

/// A case passed, with what's worth a remark; nothing is said by the empty one.
pub(crate) type Outcome = Result<String, Fault>;

/// Why a case didn't pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What was expected, and what came.
    Failed(String),
    /// What there isn't, so that nothing could be tested.
    NotApplicable(String),
}

/// Ends a case as failed unless the condition holds; says what was expected and what came.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::case::Fault::Failed(format!($($message)+)));
        }
    };
}

pub(crate) use ensure;

/// Passed, with nothing to remark.
pub(crate) fn passed() -> Outcome {
    Ok(String::new())
}

// === impl Fault ===

/// An operation failed that a conforming connector does.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(format!("expected it to succeed, got: {error}"))
    }
}

// === impl Need ===

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reader => write!(formatter, "a source, or a sink with \"read-back\""),
            Self::Sink => write!(formatter, "a sink"),
            Self::Both => write!(formatter, "a sink that can be read"),
            Self::Reads(word) | Self::Writes(word) => write!(formatter, "{word:?}"),
            Self::WritesWithout(word) => write!(formatter, "no {word:?}"),
            Self::Denied => write!(formatter, "--denied"),
        }
    }
}
