//! Requests to a registry whose answers are bounded: no manifest and no layer is longer than it may be, and
//! nothing goes over plain HTTP that isn't meant to. A token, which oci-client reads, is bounded in time alone.
//! Knows no manifest.

use std::time::Duration;

use oci_client::{
    Client, Reference as Place, RegistryOperation,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
    secrets::RegistryAuth,
};
use reqwest::{RequestBuilder, Response, StatusCode, header, redirect::Policy};

use crate::error::Error;

/// Longest until a registry takes a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest without a byte.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest that the exchange of credentials for a token may take.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
/// Most redirects of one request: a registry sends one to where its blobs are.
const MAX_REDIRECTS: usize = 5;

/// One registry's way.
pub(crate) struct Transport {
    client: Client,
    /// For what's read: the other one takes answers of any length.
    bounded: reqwest::Client,
    scheme: &'static str,
    registry: String,
    auth: RegistryAuth,
}

/// Says whose cryptography reqwest's TLS is: ring's, as everywhere here.
pub fn provide_tls() {
    // Another one may have been installed by now: there is only this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

// === impl Transport ===

impl Transport {
    /// `plain`: without TLS; `anywhere`: also to where this machine isn't.
    ///
    /// # Errors
    /// The machine's certificates can't be read.
    pub(crate) fn new(registry: &str, plain: bool, anywhere: bool, auth: RegistryAuth) -> Result<Self, Error> {
        provide_tls();
        let failed = |what: &dyn std::fmt::Display| Error::refused(format!("the way to {registry}: {what}"));
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("culvert/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| failed(&error))?;
        // A registry over TLS leads nowhere without it, and one of this machine to no other without it.
        let policy = Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("it redirects too often")
            } else if attempt.url().scheme() != "https" && !(anywhere || plain && is_here(attempt.url())) {
                attempt.error("it redirects to plain http, which isn't allowed there")
            } else {
                attempt.follow()
            }
        });
        let bounded = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        let bounded = bounded.redirect(policy).user_agent(concat!("culvert/", env!("CARGO_PKG_VERSION")));
        let bounded = bounded.build().map_err(|error| failed(&error))?;
        let scheme = if plain { "http" } else { "https" };
        Ok(Self { client, bounded, scheme, registry: registry.to_owned(), auth })
    }

    /// For what only sends.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Says who one is, once the registry has said how.
    ///
    /// # Errors
    /// It can't be reached or knows nobody by these credentials.
    pub(crate) async fn authenticate(
        &self,
        place: &Place,
        operation: RegistryOperation,
    ) -> Result<Option<String>, Error> {
        let asked = tokio::time::timeout(TOKEN_TIMEOUT, self.client.auth(place, &self.auth, operation)).await;
        let asked = asked.map_err(|_| self.strange("asking who may"))?;
        asked.map_err(|error| self.failed(&error, "asking who may"))
    }

    /// What is at a path below the registry, of at most `limit` bytes. None: nothing.
    ///
    /// # Errors
    /// It can't be had, or is longer.
    pub(crate) async fn get(
        &self,
        (place, path): (&Place, &str),
        accept: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let token = self.authenticate(place, RegistryOperation::Pull).await?;
        let registry = place.resolve_registry();
        let url = format!("{}://{registry}/v2/{}/{path}", self.scheme, place.repository());
        let request = self.signed(self.bounded.get(&url).header(header::ACCEPT, accept), token);
        let response = request.send().await.map_err(|error| self.unreachable(&error, path))?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(self.refused(status.as_u16(), path));
        }
        self.body(response, path, limit).await.map(Some)
    }

    fn signed(&self, request: RequestBuilder, token: Option<String>) -> RequestBuilder {
        match (token, &self.auth) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        }
    }

    async fn body(&self, mut response: Response, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let too_long =
            || Error::refused(format!("{}: {path} is longer than {limit} bytes; nothing of it is kept", self.registry));
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error, path))? {
            if body.len() as u64 + chunk.len() as u64 > limit {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error, what: &str) -> Error {
        if error.is_redirect() {
            return Error::refused(format!("{}: {what}: {}", self.registry, root(error)));
        }
        Error::unreachable(format!(
            "the registry {} can't be reached ({what}): {}; see whether it runs and whether this machine may connect to it",
            self.registry,
            root(error)
        ))
    }

    fn refused(&self, status: u16, what: &str) -> Error {
        let registry = &self.registry;
        match (status, &self.auth) {
            (401 | 403, RegistryAuth::Anonymous) => Error::refused(format!(
                "the registry {registry} asks who one is ({status}), and there are no credentials for it; \
                 `docker login {registry}` writes them, or set CULVERT_REGISTRY={registry}, CULVERT_REGISTRY_USER and \
                 CULVERT_REGISTRY_PASSWORD"
            )),
            (401 | 403, _) => Error::refused(format!(
                "the registry {registry} refuses these credentials for {what} ({status}); renew them with `docker login {registry}`"
            )),
            _ => Error::unreachable(format!("the registry {registry} answers {status} for {what}")),
        }
    }

    /// An error of the other client, without what the server said.
    pub(crate) fn failed(&self, error: &OciDistributionError, what: &str) -> Error {
        match error {
            OciDistributionError::RequestError(error) => self.unreachable(error, what),
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                self.refused(401, what)
            }
            OciDistributionError::ServerError { code, .. } => self.refused(*code, what),
            OciDistributionError::RegistryError { envelope, .. } => {
                let denied = envelope.errors.iter().any(|it| {
                    use oci_client::errors::OciErrorCode::{Denied, Unauthorized};
                    matches!(it.code, Denied | Unauthorized)
                });
                if denied { self.refused(403, what) } else { self.strange(what) }
            }
            _ => self.strange(what),
        }
    }

    fn strange(&self, what: &str) -> Error {
        Error::unreachable(format!("{what}: the registry {} doesn't answer as one does", self.registry))
    }
}

/// Whether a URL leads to this machine.
fn is_here(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The innermost cause: those around it repeat the URL.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
