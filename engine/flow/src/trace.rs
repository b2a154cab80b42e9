//! The spans of a run, for whoever listens to [`TARGET`]: what was done within what, and how it ended. Nobody
//! does unless the user asks for traces, and then a span is a number that's compared. Holds keys, which a
//! listener may not pass on as they are, and no other content.

use tracing::{Level, Span, field::Empty, info_span};

use crate::{error::Error, object::Object, sink::Part};

/// All spans have it and nothing else does, so that logs are without them.
pub const TARGET: &str = "culvert::trace";
/// The field that names an object.
pub const KEY: &str = "culvert.key";

/// A call of a connector, within whatever it's made for; none outside of a run. `end`: `source` or `sink`.
pub fn call(operation: &'static str, end: &'static str) -> Span {
    if !tracing::span_enabled!(target: TARGET, Level::INFO) || Span::current().is_none() {
        return Span::none();
    }
    info_span!(
        target: TARGET,
        "call",
        culvert.operation = operation,
        culvert.end = end,
        error.r#type = Empty,
        otel.status_code = Empty,
    )
}

/// Says why a span's work failed; nothing where it didn't.
pub fn judge(span: &Span, error: Option<&Error>) {
    if let Some(error) = error.filter(|_| !span.is_disabled()) {
        span.record("error.type", error.code.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// An object in hand, within the run.
pub(crate) fn object(object: &Object) -> Span {
    info_span!(
        target: TARGET,
        "object",
        culvert.key = object.key.as_str(),
        culvert.size = object.size,
        culvert.outcome = Empty,
        error.r#type = Empty,
        otel.status_code = Empty,
    )
}

/// Small objects that move together, within the run.
pub(crate) fn batch(objects: usize, bytes: u64) -> Span {
    info_span!(
        target: TARGET,
        "batch",
        culvert.objects = objects as u64,
        culvert.bytes = bytes,
        error.r#type = Empty,
        otel.status_code = Empty,
    )
}

/// One try at an object or at a part; counted from 1.
pub(crate) fn attempt(number: u32) -> Span {
    info_span!(
        target: TARGET,
        "attempt",
        culvert.attempt = number,
        error.r#type = Empty,
        otel.status_code = Empty,
    )
}

/// A part of an upload, within its object.
pub(crate) fn part(object: &Span, part: Part) -> Span {
    info_span!(
        target: TARGET,
        parent: object,
        "part",
        culvert.part = part.number,
        culvert.bytes = part.length,
        error.r#type = Empty,
        otel.status_code = Empty,
    )
}

/// How the object in hand ended: `moved`, `skipped` or `failed`.
pub(crate) fn outcome(word: &'static str) {
    Span::current().record("culvert.outcome", word);
}
