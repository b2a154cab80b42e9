//! What a server answered, in the contract's words. Never shows a header or a query.

use std::time::Duration;

use culvert_sdk::{http::Response, prelude::*};

/// An answer that isn't a success, to a request about this.
pub(crate) fn answered(what: &str, response: &Response) -> Error {
    let status = response.status;
    let (code, advice) = match status {
        401 => ("unauthenticated", "the server wants another authorization"),
        403 => ("permission-denied", "the server refuses it"),
        404 | 410 => ("not-found", "it isn't there"),
        408 => ("timeout", "the server gave up waiting"),
        412 => ("changed", "it isn't what it was when it was listed"),
        429 => ("throttled", "the server asks to be asked less often"),
        500 | 502 | 503 | 504 => ("unavailable", "the server can't answer now"),
        _ => ("unsupported", "the server doesn't do this"),
    };
    let failure = error::new(code, format!("{}: status {status}, {advice}", quote(what)));
    match response.header("retry-after").and_then(|wait| wait.trim().parse().ok()) {
        Some(seconds) => error::retry_after(failure, Duration::from_secs(seconds)),
        None => failure,
    }
}

/// An object that was another one when it was listed or opened.
pub(crate) fn changed(key: &str) -> Error {
    error::changed(format!("{} isn't what it was when it was listed or opened", quote(key)))
}
