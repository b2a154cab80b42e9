//! One request and its answer, along redirects to servers that are granted. Retries nothing.

use culvert_sdk::{
    http::{Body, Request, Response, send},
    prelude::*,
};

use crate::place::{resolve, server};

/// As many as browsers and curl bear in practice; a circle ends here.
const MAX_REDIRECTS: usize = 10;

/// Sends requests with what every one of them has.
#[derive(Debug)]
pub(crate) struct Fetcher {
    pub(crate) authorization: Option<String>,
}

/// An answer and whose it is at last.
pub(crate) struct Fetched {
    pub(crate) url: String,
    pub(crate) response: Response,
}

// === impl Fetcher ===

impl Fetcher {
    /// Any answer but a redirect.
    ///
    /// # Errors
    /// The server can't be reached, or a redirect leads nowhere or to a server that isn't granted.
    pub(crate) async fn fetch(&self, method: &str, url: &str, headers: &[(String, Vec<u8>)]) -> Result<Fetched, Error> {
        let first = server(url);
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = headers.to_vec();
            // The bytes as they are stored, of which ranges and checksums are.
            headers.push(("accept-encoding".to_owned(), b"identity".to_vec()));
            if let Some(authorization) = &self.authorization
                && server(&url) == first
            {
                headers.push(("authorization".to_owned(), authorization.clone().into_bytes()));
            }
            let request = Request { method: method.to_owned(), url: url.clone(), headers, body: Body::Empty };
            let response = send(request).await.map_err(|failure| misled(failure, &url, first.as_deref()))?;
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                return encoded(url, response);
            }
            let target = response.header("location").and_then(|link| resolve(&url, link.trim()));
            url = target.ok_or_else(|| error::protocol(format!("{}: it's redirected to nowhere", shown(&url))))?;
        }
        Err(error::protocol(format!("{}: it's redirected more than {MAX_REDIRECTS} times", shown(&url))))
    }
}

/// A refusal on the way is the redirect's, and can be mended.
fn misled(failure: Error, url: &str, first: Option<&str>) -> Error {
    let server = server(url);
    match server {
        Some(server) if failure.code == "permission-denied" && Some(server.as_str()) != first => {
            let message = format!("a redirect leads to {server}, which isn't granted; name it in servers to allow it");
            error::permission_denied(message)
        }
        _ => failure,
    }
}

fn encoded(url: String, response: Response) -> Result<Fetched, Error> {
    match response.header("content-encoding").map(str::trim) {
        None | Some("" | "identity") => Ok(Fetched { url, response }),
        Some(coding) => {
            let message = format!("{}: the server sends it as {}, not as it is stored", shown(&url), quote(coding));
            Err(error::unsupported(message))
        }
    }
}

fn shown(url: &str) -> String {
    quote(url.split(['?', '#']).next().unwrap_or_default())
}
