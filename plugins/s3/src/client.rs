//! A bucket and the SDK's client for it. Makes presigned requests for what carries an object's bytes
//! and sends them with the engine's stream; everything else goes through the SDK.

use std::{
    cell::{Cell, OnceCell, RefCell},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
    presigning::{PresignedRequest, PresigningConfig},
};
use culvert_sdk::{
    connector::Role,
    error,
    http::{self, Body, Request, Response},
    types::Error,
};

use crate::{
    config::Config,
    error::{Answer, Attempt, REGION, seconds},
    key,
    transport::{FromEngine, MAX_ANSWER_BYTES, Transport},
};

/// How long a presigned request may be sent after it was made: it's sent at once, and a store's clock
/// may be wrong by 15 minutes.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// What an instance has.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    pub(crate) client: Client,
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

// === impl Store ===

impl Store {
    pub(crate) fn new(config: Config, role: Role) -> Self {
        let sdk = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .endpoint_url(config.endpoint.trim_end_matches('/'))
            .force_path_style(config.force_path_style)
            .credentials_provider(FromEngine)
            .http_client(Transport)
            // The engine retries, waits and watches; it also keeps the credentials.
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // Many stores refuse checksums that they don't know.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(sdk),
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
        let attempt = self.attempt("list", None);
        let listing = self.client.list_objects_v2().bucket(&self.config.bucket).prefix(&self.config.prefix).max_keys(1);
        listing.send().await.map_err(|failure| attempt.failed(&failure))?;
        if self.role == Role::Source {
            return Ok(());
        }
        let key = format!("{}.culvert-check", self.config.prefix);
        let attempt = self.attempt("begin an upload in", None);
        let begun = self.client.create_multipart_upload().bucket(&self.config.bucket).key(&key).send().await;
        let begun = begun.map_err(|failure| attempt.failed(&failure))?;
        let abort = self.client.abort_multipart_upload().bucket(&self.config.bucket).key(&key);
        let aborted = abort.set_upload_id(begun.upload_id).send().await;
        aborted.map(drop).map_err(|failure| attempt.failed(&failure))
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

    /// Sends a presigned request. Statuses below 300 are answers.
    ///
    /// # Errors
    /// What the store said instead.
    pub(crate) async fn send(
        &self,
        presigned: PresignedRequest,
        body: Body,
        attempt: Attempt<'_>,
    ) -> Result<Response, Error> {
        let headers = presigned.headers().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
        let (method, url) = (presigned.method().to_owned(), presigned.uri().to_owned());
        let answer = http::send(Request { method, url, headers, body }).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let (status, retry_after) = (answer.status, answer.header("retry-after").and_then(seconds));
        let region = answer.header(REGION).map(str::to_owned);
        let body = answer.collect(MAX_ANSWER_BYTES).await.unwrap_or_default();
        Err(attempt.answered(&Answer { region, ..Answer::parse(status, &body, retry_after) }))
    }
}

/// # Errors
/// Never, for a time below a week.
pub(crate) fn presigning() -> Result<PresigningConfig, Error> {
    PresigningConfig::expires_in(SIGNED_FOR).map_err(|_| error::internal("a signature's time is out of range"))
}
