//! A bucket and the way to it: requests are made and signed here, answers taken apart as far as all of
//! them have it in common. Retries nothing.

use std::{
    cell::{Cell, OnceCell, RefCell},
    time::{SystemTime, UNIX_EPOCH},
};

use culvert_sdk::{
    StreamReader,
    connector::Role,
    credentials, error,
    http::{self, Body, Request, Response},
    types::Error,
    xml::{self, Element},
};

use crate::{
    address::Address,
    config::Config,
    error::{Answer, Attempt, EMBEDDED, REGION, seconds},
    key,
    request::Draft,
    signature::{Payload, Signer},
};

/// Longest answer of the store in bytes: a thousand listed objects with keys of 1 KiB, each byte
/// escaped to three.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// With `ENABLED`, the answer about an object has the checksum that the store keeps.
pub(crate) const CHECKSUM_MODE: &str = "x-amz-checksum-mode";

/// What an instance has.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    address: Address,
    signer: Signer,
    role: Role,
    /// Whether the store takes CRC-64/NVME for uploads in parts: not known to be wrong yet.
    pub(crate) knows_checksums: Cell<bool>,
    /// Whether it takes conditions of a put: not known to be wrong yet.
    pub(crate) knows_conditions: Cell<bool>,
    /// What the sink was found to have when it was last asked.
    pub(crate) seen: RefCell<Option<Seen>>,
    /// The source that objects are copied from.
    pub(crate) copied_from: OnceCell<Place>,
}

/// What was found under a key of the sink: the ETag of what is there.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) key: String,
    /// None: nothing was there.
    pub(crate) etag: Option<String>,
}

/// Where another end's objects are.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
}

/// A request's body.
pub(crate) enum Content<'a> {
    Empty,
    Bytes(&'a [u8]),
    /// The engine's; `content-length` is in the draft.
    Stream(StreamReader<u8>),
}

// === impl Store ===

impl Store {
    pub(crate) fn new(config: Config, role: Role) -> Self {
        Self {
            address: Address::of(&config),
            signer: Signer::default(),
            config,
            role,
            knows_checksums: Cell::new(true),
            knows_conditions: Cell::new(true),
            seen: RefCell::default(),
            copied_from: OnceCell::new(),
        }
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
        let id = self.initiate(Draft::new("POST", &key), attempt).await?;
        self.send(Draft::new("DELETE", &key).query("uploadId", id), Content::Empty, attempt).await.map(drop)
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

    /// The store's id of a new upload.
    ///
    /// # Errors
    /// What the store said instead.
    pub(crate) async fn initiate(&self, draft: Draft<'_>, attempt: Attempt<'_>) -> Result<String, Error> {
        let answer = self.ask(draft.query("uploads", ""), Content::Empty, attempt).await?;
        let id = answer.text("UploadId").filter(|id| !id.is_empty()).map(str::to_owned);
        id.ok_or_else(|| attempt.malformed("the answer has no id of an upload"))
    }

    /// Sends a request whose answer is XML.
    ///
    /// # Errors
    /// What the store said instead.
    pub(crate) async fn ask(
        &self,
        draft: Draft<'_>,
        content: Content<'_>,
        attempt: Attempt<'_>,
    ) -> Result<Element, Error> {
        let body = self.send(draft, content, attempt).await?.collect(MAX_ANSWER_BYTES).await?;
        match xml::parse(&body) {
            // What takes long is answered before its end is known, with a status that says nothing.
            Some(root) if root.name == "Error" => Err(attempt.answered(&Answer::parse(EMBEDDED, &body, None))),
            Some(root) => Ok(root),
            None => Err(attempt.malformed("the answer isn't XML")),
        }
    }

    /// Sends a request. Statuses below 300 are answers.
    ///
    /// # Errors
    /// What the store said instead.
    pub(crate) async fn send(
        &self,
        draft: Draft<'_>,
        content: Content<'_>,
        attempt: Attempt<'_>,
    ) -> Result<Response, Error> {
        let answer = http::send(self.signed(draft, content).await?).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let (status, retry_after) = (answer.status, answer.header("retry-after").and_then(seconds));
        let region = answer.header(REGION).map(str::to_owned);
        let body = answer.collect(MAX_ANSWER_BYTES).await.unwrap_or_default();
        Err(attempt.answered(&Answer { region, ..Answer::parse(status, &body, retry_after) }))
    }

    async fn signed(&self, draft: Draft<'_>, content: Content<'_>) -> Result<Request, Error> {
        let missing = || error::unauthenticated("the engine has no credentials for this pipeline");
        // Asked for every time: the engine knows when a credential has to be renewed.
        let credential = credentials::get().await?.ok_or_else(missing)?;
        let (payload, body) = match content {
            Content::Empty => (Payload::Empty, Body::Empty),
            Content::Bytes(bytes) => (Payload::of(bytes), Body::Bytes(bytes.to_vec())),
            Content::Stream(data) => (Payload::Unsigned, Body::Stream(data)),
        };
        let path = self.address.path(&draft);
        let (method, url) = (draft.method.to_owned(), self.address.url(&path, &draft));
        let headers = self.signer.sign(draft, &path, &payload, &self.address, &credential, now());
        Ok(Request { method, url, headers, body })
    }
}

/// What time it is on this machine, in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
