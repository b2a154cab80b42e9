//! What OSS answered, in the contract's words: where, what, and what to do about it. Never shows a
//! header or a key's secret half.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use culvert_sdk::{
    error::{self, quote},
    http::Response,
    time,
    types::Error,
    xml,
};

/// Longest part of the service's own words in a message, in characters.
const MAX_WORDS: usize = 300;
/// The service's word for a clock that's off by more than 15 minutes.
const SKEWED: &str = "RequestTimeTooSkewed";

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

/// What the service said that isn't a success.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// OSS's own word; empty where there was nothing to say it.
    pub(crate) code: String,
    pub(crate) words: String,
    pub(crate) wait: Option<Duration>,
    /// What time it is there, in seconds since 1970.
    pub(crate) date: Option<i64>,
}

// === impl Attempt ===

impl Attempt<'_> {
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
        let failure = error::new(code, message);
        match answer.wait {
            Some(wait) => error::retry_after(failure, wait),
            None => failure,
        }
    }

    /// An answer that isn't OSS's.
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

/// The contract's code for an answer, and what to do about it (Alibaba Cloud, "OSS error codes").
fn meaning(status: u16, code: &str) -> (&'static str, &'static str) {
    match (code, status) {
        ("NoSuchKey" | "SymlinkTargetNotExist", _) => ("not-found", ""),
        ("NoSuchBucket", _) => ("invalid-config", "create the bucket, or correct its name"),
        ("NoSuchUpload", _) => ("not-found", "the upload was finished or removed by somebody else"),
        ("SecurityTokenExpired", _) => ("unauthenticated", "the security token has expired: get a new one"),
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidSecurityToken" | "InvalidAccessKeySecret", _) => {
            ("unauthenticated", "check the access key, its secret and security token, and the region")
        }
        (SKEWED, _) => ("unauthenticated", "set this machine's clock"),
        ("AccessDenied" | "UserDisable", _) => ("permission-denied", "the key may not do this: check its policy"),
        ("InvalidObjectState", _) => ("unsupported", "the object is archived: restore it first, then run again"),
        ("FileAlreadyExists", _) => ("already-exists", ""),
        ("PreconditionFailed", _) | (_, 412) => ("precondition-failed", ""),
        ("KmsServiceNotEnabled" | "InvalidEncryptionAlgorithmError", _) => ("invalid-config", "check encryption"),
        ("InvalidDigest" | "BadDigest", _) => ("checksum-mismatch", ""),
        ("IncompleteBody" | "InvalidPart", _) => ("truncated", ""),
        ("RequestTimeout", _) | (_, 408) => ("timeout", ""),
        ("EntityTooLarge", _) | (_, 413) => ("too-large", "OSS takes no object of this size"),
        ("InvalidObjectName", _) => ("invalid-key", "OSS takes no object of this name"),
        ("InvalidBucketName", _) => ("invalid-config", "correct the bucket's name"),
        ("NotImplemented" | "MethodNotAllowed", _) | (_, 405 | 501) => ("unsupported", "the service can't do this"),
        (_, 301 | 302 | 307 | 308) => ("invalid-config", "the bucket is elsewhere: set region or endpoint to its own"),
        // TotalQpsLimitExceeded, UploadTrafficRateLimitExceeded, ActiveRequestLimitExceeded and so on.
        (_, 429 | 503) => ("throttled", ""),
        (_, 401) => ("unauthenticated", "check the access key"),
        (_, 403) => ("permission-denied", "the key may not do this: check its policy"),
        (_, 404) => ("not-found", ""),
        (_, 409 | 500..) => ("unavailable", ""),
        _ => ("refused", "check the endpoint, the region and the keys of this end"),
    }
}

// === impl Answer ===

impl Answer {
    /// From what comes before the body. Answers to HEAD have no body, but the same text in a header.
    pub(crate) fn of(response: &Response) -> Self {
        let told = response.header("x-oss-err").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        Self {
            status: response.status,
            wait: wait(response.header("x-oss-qos-delay-time"), response.header("retry-after")),
            date: response.header("date").and_then(time::of_header),
            ..Self::default()
        }
        .saying(&told)
    }

    /// What the body says, as far as it's an error's: `<Error><Code>..</Code><Message>..</Message>`.
    pub(crate) fn saying(mut self, body: &[u8]) -> Self {
        if let Some(root) = xml::parse(body).filter(|root| root.name == "Error") {
            self.code = root.text("Code").unwrap_or_default().to_owned();
            self.words = root.text("Message").unwrap_or_default().to_owned();
        }
        self
    }

    pub(crate) fn is_of_the_clock(&self) -> bool {
        self.code == SKEWED
    }
}

/// How long the service asks to wait: in milliseconds by its own header, in seconds by HTTP's.
fn wait(milliseconds: Option<&str>, seconds: Option<&str>) -> Option<Duration> {
    let number = |text: &str| text.trim().parse().ok();
    let own = milliseconds.and_then(number).map(Duration::from_millis);
    own.or_else(|| seconds.and_then(number).map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Attempt<'static> =
        Attempt { endpoint: "https://oss.example.com", bucket: "archive", operation: "put", key: Some("a b") };

    fn answer(status: u16, code: &str) -> Answer {
        Answer { status, code: code.to_owned(), ..Answer::default() }
    }

    #[test]
    fn an_answer_says_where_what_and_what_to_do() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>No.</Message><EC>1</EC></Error>";
        let error = ATTEMPT.answered(&answer(403, "").saying(body));
        assert_eq!(error.code, "permission-denied");
        assert_eq!(
            error.message,
            "cannot put \"a b\" in bucket archive at https://oss.example.com: AccessDenied (No); the key may not do \
             this: check its policy"
        );
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        for (status, code, expected) in [
            (503, "TotalQpsLimitExceeded", "throttled"),
            (503, "UploadTrafficRateLimitExceeded", "throttled"),
            (429, "QpsLimitExceeded", "throttled"),
            (500, "InternalError", "unavailable"),
            (400, "RequestTimeout", "timeout"),
            (403, "SignatureDoesNotMatch", "unauthenticated"),
            (403, "InvalidObjectState", "unsupported"),
            (404, "NoSuchBucket", "invalid-config"),
            (404, "", "not-found"),
            (409, "FileAlreadyExists", "already-exists"),
            (400, "SomethingNew", "refused"),
        ] {
            assert_eq!(ATTEMPT.answered(&answer(status, code)).code, expected, "{status} {code}");
        }
    }

    #[test]
    fn the_service_says_how_long_to_wait() {
        assert_eq!(wait(Some("250"), Some("7")), Some(Duration::from_millis(250)));
        assert_eq!(wait(None, Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("soon"), None), None);
    }
}
