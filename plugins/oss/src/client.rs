//! A bucket and the exchange with its server: signs, sends, and corrects this machine's clock where the
//! service says that it's wrong. Retries nothing else, and keeps no credential.

use std::{
    cell::{Cell, OnceCell},
    time::{SystemTime, UNIX_EPOCH},
};

use culvert_sdk::{
    StreamReader,
    connector::Role,
    credentials, error,
    http::{self, Request, Response},
    types::Error,
    xml::{self, Element},
};

use crate::{
    address::Address,
    config::Config,
    error::{Answer, Attempt},
    key,
    request::Draft,
    signature::{Scope, Signer},
};

/// Longest answer in bytes: a thousand listed objects with keys of 1 KiB, each byte escaped to three.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Least correction of a clock in seconds: the service takes clocks that are off by 15 minutes, so
/// one that was corrected and is refused again wasn't the reason.
const LEAST_SKEW: u64 = 60;

/// What an instance has.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    address: Address,
    role: Role,
    /// Seconds that the service's clock is ahead of this machine's.
    offset: Cell<i64>,
    /// The source that objects are copied from.
    pub(crate) copied_from: OnceCell<Box<Store>>,
}

/// A request's body.
pub(crate) enum Content<'a> {
    Empty,
    /// Sent again where the clock had to be corrected.
    Bytes(&'a [u8]),
    /// The engine's own; can be sent once.
    Stream {
        data: StreamReader<u8>,
        length: u64,
    },
}

/// How an exchange went wrong.
enum Failure {
    /// The clock has been corrected: the next attempt may succeed.
    Skewed(Error),
    Other(Error),
}

// === impl Store ===

impl Store {
    /// # Errors
    /// `invalid-config`.
    pub(crate) fn new(config: Config, role: Role) -> Result<Self, Error> {
        let address = Address::new(&config.endpoint, &config.bucket, config.addressing)?;
        Ok(Self { config, address, role, offset: Cell::new(0), copied_from: OnceCell::new() })
    }

    /// Lists one object, and for a sink begins and drops an upload: it needs both rights.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let listing = Draft::of_bucket("GET").query("list-type", "2").query("max-keys", "1");
        let listing = listing.query("prefix", &self.config.prefix);
        self.ask(listing, Content::Empty, self.attempt("list", None)).await?;
        if self.role == Role::Source {
            return Ok(());
        }
        let key = format!("{}.culvert-check", self.config.prefix);
        let attempt = self.attempt("begin an upload in", None);
        let id = self.initiate(Draft::of_object("POST", &key), attempt).await?;
        self.send(Draft::of_object("DELETE", &key).query("uploadId", id), Content::Empty, attempt).await.map(drop)
    }

    /// The bucket's key of an object.
    ///
    /// # Errors
    /// `invalid-key`.
    pub(crate) fn key(&self, key: &str) -> Result<String, Error> {
        key::to_bucket(&self.config.prefix, key)
    }

    pub(crate) fn attempt<'a>(&'a self, operation: &'static str, key: Option<&'a str>) -> Attempt<'a> {
        Attempt { endpoint: self.config.endpoint.trim_end_matches('/'), bucket: &self.config.bucket, operation, key }
    }

    /// The service's id of a new upload.
    pub(crate) async fn initiate(&self, draft: Draft, attempt: Attempt<'_>) -> Result<String, Error> {
        let answer = self.ask(draft.query("uploads", ""), Content::Empty, attempt).await?;
        let id = answer.text("UploadId").filter(|id| !id.is_empty()).map(str::to_owned);
        id.ok_or_else(|| attempt.malformed("the answer has no id of an upload"))
    }

    /// Sends a request whose answer is XML.
    ///
    /// # Errors
    /// What the service said instead.
    pub(crate) async fn ask(&self, draft: Draft, content: Content<'_>, attempt: Attempt<'_>) -> Result<Element, Error> {
        told(self.send(draft, content, attempt).await?, attempt).await
    }

    /// Sends a request. Statuses below 300 are answers.
    ///
    /// # Errors
    /// What the service said instead.
    pub(crate) async fn send(
        &self,
        draft: Draft,
        content: Content<'_>,
        attempt: Attempt<'_>,
    ) -> Result<Response, Error> {
        let again = match content {
            Content::Empty => Some(Content::Empty),
            Content::Bytes(bytes) => Some(Content::Bytes(bytes)),
            Content::Stream { .. } => None,
        };
        let failure = match self.exchange(draft.clone(), content, attempt).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        match (failure, again) {
            (Failure::Skewed(_), Some(content)) => {
                self.exchange(draft, content, attempt).await.map_err(|failure| match failure {
                    Failure::Skewed(error) | Failure::Other(error) => error,
                })
            }
            // The engine sends the bytes anew, by the corrected clock.
            (Failure::Skewed(error), None) => Err(error::unavailable(error.message)),
            (Failure::Other(error), _) => Err(error),
        }
    }

    async fn exchange(&self, draft: Draft, content: Content<'_>, attempt: Attempt<'_>) -> Result<Response, Failure> {
        let request = self.signed(draft, content).await.map_err(Failure::Other)?;
        let response = http::send(request).await.map_err(Failure::Other)?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let told = Answer::of(&response);
        let body = response.collect(MAX_ANSWER_BYTES).await.unwrap_or_default();
        let answer = if body.is_empty() { told } else { told.saying(&body) };
        let error = attempt.answered(&answer);
        Err(if self.correct(&answer) { Failure::Skewed(error) } else { Failure::Other(error) })
    }

    async fn signed(&self, draft: Draft, content: Content<'_>) -> Result<Request, Error> {
        let (length, body) = match content {
            Content::Empty => (0, http::Body::Empty),
            Content::Bytes(bytes) => (bytes.len() as u64, http::Body::Bytes(bytes.to_vec())),
            Content::Stream { data, length } => (length, http::Body::Stream(data)),
        };
        let missing = || error::unauthenticated("the engine has no credentials for this pipeline");
        // Asked for every time: the engine knows when a credential has to be renewed.
        let found = credentials::get().await?.ok_or_else(missing)?;
        let signer = Signer { access_key: found.access_key, secret: found.secret, token: found.session_token };
        let Config { signature_version, region, bucket, .. } = &self.config;
        let mut draft = signer.sign(draft, Scope { version: *signature_version, region, bucket }, self.now());
        if matches!(draft.method, "PUT" | "POST") {
            draft = draft.header("content-length", length.to_string());
        }
        let url = self.address.url(&draft);
        let headers = draft.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        Ok(Request { method: draft.method.to_owned(), url, headers, body })
    }

    /// What time it is at the service, in seconds since 1970.
    fn now(&self) -> i64 {
        here().saturating_add(self.offset.get())
    }

    /// Takes the service's time where it says that ours is wrong. False where that changes nothing.
    fn correct(&self, answer: &Answer) -> bool {
        let Some(there) = answer.date.filter(|_| answer.is_of_the_clock()) else { return false };
        let offset = there.saturating_sub(here());
        let is_new = offset.abs_diff(self.offset.get()) >= LEAST_SKEW;
        if is_new {
            self.offset.set(offset);
        }
        is_new
    }
}

/// An answer's XML.
///
/// # Errors
/// It breaks off, or isn't XML.
pub(crate) async fn told(answer: Response, attempt: Attempt<'_>) -> Result<Element, Error> {
    let body = answer.collect(MAX_ANSWER_BYTES).await?;
    xml::parse(&body).ok_or_else(|| attempt.malformed("the answer isn't XML"))
}

/// What time it is on this machine.
fn here() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
