//! A bucket and the ways to it: requests about one object are made and signed here, and carry the
//! engine's stream; those about listings, uploads and copies go through the SDK. Retries nothing.

use std::{
    cell::{Cell, OnceCell, RefCell},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use culvert_sdk::{
    connector::Role,
    credentials, error,
    http::{self, Body, Request, Response},
    types::Error,
};

use crate::{
    address::Address,
    config::Config,
    error::{Answer, Attempt, REGION, seconds},
    key,
    request::Draft,
    signature::{Payload, Signer},
    transport::{FromEngine, MAX_ANSWER_BYTES, Transport},
};

/// With `ENABLED`, the answer about an object has the checksum that the store keeps.
pub(crate) const CHECKSUM_MODE: &str = "x-amz-checksum-mode";

/// What an instance has.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Config,
    address: Address,
    signer: Signer,
    role: Role,
    /// The SDK's, made for the first request that needs it: what moves small objects alone never does.
    client: OnceCell<Client>,
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
        Self {
            address: Address::of(&config),
            signer: Signer::default(),
            config,
            role,
            client: OnceCell::new(),
            knows_checksums: Cell::new(true),
            knows_conditions: Cell::new(true),
            seen: RefCell::default(),
            copied_from: OnceCell::new(),
        }
    }

    /// Lists one object, and for a sink begins and drops an upload: it needs both rights.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let attempt = self.attempt("list", None);
        let Config { bucket, prefix, .. } = &self.config;
        let listing = self.client().list_objects_v2().bucket(bucket).prefix(prefix).max_keys(1).send().await;
        listing.map_err(|failure| attempt.failed(&failure))?;
        if self.role == Role::Source {
            return Ok(());
        }
        let key = format!("{prefix}.culvert-check");
        let attempt = self.attempt("begin an upload in", None);
        let begun = self.client().create_multipart_upload().bucket(bucket).key(&key).send().await;
        let id = begun.map_err(|failure| attempt.failed(&failure))?.upload_id;
        let aborted = self.client().abort_multipart_upload().bucket(bucket).key(&key).set_upload_id(id).send().await;
        aborted.map(drop).map_err(|failure| attempt.failed(&failure))
    }

    /// What speaks of listings, uploads and copies.
    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let sdk = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(self.config.region.clone()))
                .endpoint_url(self.config.endpoint.trim_end_matches('/'))
                .force_path_style(self.config.force_path_style)
                // A session would be one more request for each instance, and another way to sign.
                .disable_s3_express_session_auth(true)
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
            Client::from_conf(sdk)
        })
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

    /// Sends a request about one object. Statuses below 300 are answers.
    ///
    /// # Errors
    /// What the store said instead.
    pub(crate) async fn send(&self, draft: Draft<'_>, body: Body, attempt: Attempt<'_>) -> Result<Response, Error> {
        let answer = http::send(self.signed(draft, body).await?).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let (status, retry_after) = (answer.status, answer.header("retry-after").and_then(seconds));
        let region = answer.header(REGION).map(str::to_owned);
        let body = answer.collect(MAX_ANSWER_BYTES).await.unwrap_or_default();
        Err(attempt.answered(&Answer { region, ..Answer::parse(status, &body, retry_after) }))
    }

    async fn signed(&self, draft: Draft<'_>, body: Body) -> Result<Request, Error> {
        let missing = || error::unauthenticated("the engine has no credentials for this pipeline");
        // Asked for every time: the engine knows when a credential has to be renewed.
        let credential = credentials::get().await?.ok_or_else(missing)?;
        let payload = if matches!(body, Body::Empty) { Payload::Empty } else { Payload::Unsigned };
        let path = self.address.path(&draft);
        let (method, url) = (draft.method.to_owned(), self.address.url(&path, &draft));
        let headers = self.signer.sign(draft, &path, payload, &self.address, &credential, now());
        Ok(Request { method, url, headers, body })
    }
}

/// What time it is on this machine, in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
