//! What a store answered, in the contract's words: where, what, and what to do about it. Never shows
//! a header or a key's secret half.

use std::{error::Error as StdError, fmt, time::Duration};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use culvert_sdk::{
    error::{self, quote},
    types::Error,
    xml,
};

/// Longest part of a store's own words in a message, in characters.
const MAX_WORDS: usize = 300;

/// The header in which a store says where a bucket is.
pub(crate) const REGION: &str = "x-amz-bucket-region";

/// The status of an error that came with that of a success: S3's own for what it failed at. What takes
/// long is answered before its end is known.
const EMBEDDED: u16 = 500;

/// An error of the contract on its way through the SDK.
#[derive(Debug)]
pub(crate) struct Carried(pub(crate) Error);

/// What was tried, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) bucket: &'a str,
    /// As in "cannot put".
    pub(crate) operation: &'static str,
    /// None where it's about the bucket.
    pub(crate) key: Option<&'a str>,
}

/// What a store said.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// S3's own word; empty where there was no body to say it.
    pub(crate) code: String,
    pub(crate) words: String,
    pub(crate) retry_after: Option<Duration>,
    /// Where the bucket is, if the store says so.
    pub(crate) region: Option<String>,
}

impl fmt::Display for Carried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl StdError for Carried {}

// === impl Attempt ===

impl Attempt<'_> {
    /// A failure of the SDK: an answer of the store, or what kept it from answering.
    pub(crate) fn failed<E>(&self, failure: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        if let Some(carried) = carried(failure) {
            return carried;
        }
        let Some(raw) = failure.raw_response() else {
            return error::internal(format!("{}: the request could not be made", self.what()));
        };
        let metadata = failure.as_service_error().map(ProvideErrorMetadata::meta);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let code = text(metadata.and_then(|it| it.code()));
        let status = match raw.status().as_u16() {
            200..300 if code.is_empty() => return self.malformed("the answer isn't S3's"),
            200..300 => EMBEDDED,
            status => status,
        };
        self.answered(&Answer {
            status,
            code,
            words: text(metadata.and_then(|it| it.message())),
            retry_after: raw.headers().get("retry-after").and_then(seconds),
            region: raw.headers().get(REGION).map(str::to_owned),
        })
    }

    /// An answer that isn't a success.
    pub(crate) fn answered(&self, answer: &Answer) -> Error {
        let (code, advice) = meaning(answer.status, &answer.code);
        let words: String = answer.words.chars().take(MAX_WORDS).collect();
        let words = words.trim_end_matches('.');
        let name = if answer.code.is_empty() { format!("status {}", answer.status) } else { answer.code.clone() };
        let mut message = format!("{}: {name}", self.what());
        if !words.is_empty() {
            message.push_str(&format!(" ({words})"));
        }
        if !advice.is_empty() {
            message.push_str("; ");
            message.push_str(advice);
        }
        if let (Some(region), "invalid-config") = (&answer.region, code) {
            message.push_str(&format!("; it's in {}", quote(region)));
        }
        let failure = error::new(code, message);
        match answer.retry_after {
            Some(wait) => error::retry_after(failure, wait),
            None => failure,
        }
    }

    /// An answer that isn't S3's.
    pub(crate) fn malformed(&self, what: &str) -> Error {
        error::protocol(format!("{}: {what}; check the endpoint", self.what()))
    }

    /// What couldn't be done.
    pub(crate) fn what(&self) -> String {
        let Self { endpoint, bucket, operation, key } = self;
        match key {
            Some(key) => format!("cannot {operation} {} in bucket {bucket} at {endpoint}", quote(key)),
            None => format!("cannot {operation} bucket {bucket} at {endpoint}"),
        }
    }
}

/// The contract's error that the SDK carried through, if there is one.
fn carried(failure: &(dyn StdError + 'static)) -> Option<Error> {
    let mut next = Some(failure);
    while let Some(failure) = next {
        if let Some(Carried(error)) = failure.downcast_ref() {
            return Some(error.clone());
        }
        next = failure.source();
    }
    None
}

/// The contract's code for an answer, and what to do about it.
fn meaning(status: u16, code: &str) -> (&'static str, &'static str) {
    match (code, status) {
        ("NoSuchKey" | "NotFound", _) => ("not-found", ""),
        ("NoSuchBucket", _) => ("invalid-config", "create the bucket, or correct its name"),
        ("InvalidPart" | "InvalidPartOrder", _) => ("not-found", "the store lacks a part of the upload"),
        ("NoSuchUpload", _) => ("not-found", "the upload was finished or removed by somebody else"),
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "TokenRefreshRequired", _) => {
            ("unauthenticated", "check the access key, its secret and session token")
        }
        ("ExpiredToken", _) => ("unauthenticated", "the session token has expired: get a new one"),
        ("RequestTimeTooSkewed", _) => ("unauthenticated", "set this machine's clock"),
        ("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
            ("invalid-config", "set region to the bucket's")
        }
        ("PermanentRedirect" | "TemporaryRedirect", _) | (_, 301 | 302 | 307 | 308) => {
            ("invalid-config", "the bucket is in another region: set endpoint and region to its own")
        }
        ("InvalidObjectState", _) => ("unsupported", "the object is archived: restore it first"),
        ("QuotaExceeded" | "XMinioStorageFull", _) | (_, 507) => ("no-space", ""),
        ("AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "Forbidden", _) | (_, 403) => {
            ("permission-denied", "the key may not do this: check its policy")
        }
        (_, 401) => ("unauthenticated", "check the access key"),
        ("PreconditionFailed", _) | (_, 412) => ("precondition-failed", ""),
        ("ConditionalRequestConflict" | "OperationAborted", _) | (_, 409) => ("unavailable", ""),
        ("SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests", _)
        | (_, 429) => ("throttled", ""),
        ("RequestTimeout" | "RequestTimeTooLong", _) | (_, 408) => ("timeout", ""),
        ("IncompleteBody", _) => ("truncated", ""),
        ("BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch", _) => {
            ("checksum-mismatch", "")
        }
        ("EntityTooLarge", _) | (_, 413) => ("too-large", "the store takes no object of this size"),
        ("KeyTooLongError", _) => ("invalid-key", "shorten the key or the prefix"),
        ("NotImplemented" | "MethodNotAllowed", _) | (_, 405 | 501) => ("unsupported", "the store can't do this"),
        (_, 503) => ("throttled", ""),
        (_, 500..) => ("unavailable", ""),
        (_, 404) => ("not-found", ""),
        _ => ("refused", "check the endpoint and the keys of this end"),
    }
}

/// The seconds of a `retry-after`. Dates aren't used by any store that's known.
pub(crate) fn seconds(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

// === impl Answer ===

impl Answer {
    /// From the XML of an error (`<Error><Code>..</Code><Message>..</Message>`), as far as it's one.
    pub(crate) fn parse(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let root = xml::parse(body).filter(|root| root.name == "Error").unwrap_or_default();
        let text = |name: &str| root.text(name).unwrap_or_default().to_owned();
        let (code, words) = (text("Code"), text("Message"));
        Self { status, code, words, retry_after, region: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Attempt<'static> =
        Attempt { endpoint: "https://s3.example.com", bucket: "archive", operation: "put", key: Some("a b") };

    #[test]
    fn an_answer_says_where_what_and_what_to_do() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
        let error = ATTEMPT.answered(&Answer::parse(403, body, None));
        assert_eq!(error.code, "permission-denied");
        assert_eq!(
            error.message,
            "cannot put \"a b\" in bucket archive at https://s3.example.com: AccessDenied (Access Denied); the key \
             may not do this: check its policy"
        );
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let code =
            |status, word: &str| ATTEMPT.answered(&Answer { status, code: word.into(), ..Answer::default() }).code;
        assert_eq!(code(503, "SlowDown"), "throttled");
        assert_eq!(code(500, "InternalError"), "unavailable");
        assert_eq!(code(400, "RequestTimeout"), "timeout");
        assert_eq!(code(403, "SignatureDoesNotMatch"), "unauthenticated");
        assert_eq!(code(403, "RequestTimeTooSkewed"), "unauthenticated");
        assert_eq!(code(404, "NoSuchBucket"), "invalid-config");
        assert_eq!(code(404, ""), "not-found");
        assert_eq!(code(400, "SomethingNew"), "refused");
        let answer = Answer { status: 503, retry_after: seconds("2"), ..Answer::default() };
        assert_eq!(ATTEMPT.answered(&answer).retry_after, Some(2_000_000_000));
    }
}
