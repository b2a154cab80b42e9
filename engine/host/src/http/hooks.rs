//! Where `wasi:http` leaves the guest: only granted endpoints are reached. Changes nothing in a request.

use std::future::Future;

use http::Request;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Client;
use crate::grants::Grants;

type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// One instance's way to the network; without a client there is none.
pub(crate) struct Hooks {
    client: Option<Client>,
    grants: Grants,
}

// === impl Hooks ===

impl Hooks {
    pub(crate) fn new(client: Option<Client>, grants: Grants) -> Self {
        Self { client, grants }
    }

    /// The way to a server; none where it isn't granted.
    pub(super) fn client_for(&self, uri: &http::Uri) -> Option<Client> {
        self.client.clone().filter(|_| self.grants.reaches(uri))
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, Error>> + Send> {
        let client = self.client_for(request.uri());
        Box::new(async move {
            let client = client.ok_or(Error::HttpRequestDenied)?;
            let response = client.send(request).await?;
            // The connection drives itself.
            Ok((response, Box::new(async { Ok(()) }) as Box<dyn Future<Output = _> + Send>))
        })
    }
}
