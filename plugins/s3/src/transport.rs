//! The SDK's way to the network: its small control requests over `culvert_sdk::http`, its credentials
//! from the engine. Carries no object's bytes and retries nothing.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future::ProvideCredentials as Provided},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use culvert_sdk::{
    credentials, error,
    http::{self, Body, Request},
    types::Error,
};
use send_wrapper::SendWrapper;

use crate::error::Carried;

/// Longest answer of the store in bytes: a thousand listed objects with keys of 1 KiB, each byte
/// escaped to three.
pub(crate) const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Sends what the SDK asks for.
#[derive(Debug, Clone)]
pub(crate) struct Transport;

/// Asks the engine for every request anew: it knows when a credential has to be renewed.
#[derive(Debug)]
pub(crate) struct FromEngine;

// === impl Transport ===

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // A guest has one thread; the SDK can't know.
        HttpConnectorFuture::new(SendWrapper::new(async move {
            exchange(request).await.map_err(|error| ConnectorError::other(Box::new(Carried(error)), None))
        }))
    }
}

async fn exchange(request: HttpRequest) -> Result<HttpResponse, Error> {
    let bytes = request.body().bytes().unwrap_or_default();
    let request = Request {
        method: request.method().to_owned(),
        url: request.uri().to_owned(),
        headers: request.headers().iter().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect(),
        body: if bytes.is_empty() { Body::Empty } else { Body::Bytes(bytes.to_vec()) },
    };
    let answer = http::send(request).await?;
    let status = StatusCode::try_from(answer.status).map_err(|_| error::protocol("a status that isn't one"))?;
    let headers = answer.headers().to_vec();
    let body = answer.collect(MAX_ANSWER_BYTES).await?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in headers {
        // What isn't text is none of the headers that S3 has.
        if let Ok(value) = String::from_utf8(value) {
            response.headers_mut().try_append(name, value).map_err(|_| error::protocol("a header that isn't one"))?;
        }
    }
    Ok(response)
}

// === impl FromEngine ===

impl ProvideCredentials for FromEngine {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(SendWrapper::new(async {
            let found = credentials::get().await.map_err(|error| CredentialsError::provider_error(Carried(error)))?;
            let missing = || error::unauthenticated("the engine has no credentials for this pipeline");
            let it = found.ok_or_else(|| CredentialsError::provider_error(Carried(missing())))?;
            Ok(Credentials::new(it.access_key, it.secret, it.session_token, None, "engine"))
        }))
    }
}
