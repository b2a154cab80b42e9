//! One HTTP exchange over `wasi:http`. The engine keeps the connections, meters the requests and
//! refuses what wasn't granted; nothing is retried or redirected here.
//!
//! A body that the engine handed over goes out as it is, and an answer's body can be handed back: the
//! bytes of neither enter the guest's memory.

use crate::{
    FutureReader, StreamReader,
    bindings::imports::{
        wasi::http::{
            client,
            types::{ErrorCode, Fields, Method, Request as WasiRequest, Response as WasiResponse, Scheme, Trailers},
        },
        wit_future, wit_stream,
    },
    error, spawn_local,
    types::{Error, Range},
};

/// A request to be sent.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Absolute, with everything escaped that must be.
    pub url: String,
    /// `host` is set by the engine and left out if it's here.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Body,
}

/// A request's body. Its length goes into `content-length` where the server wants to know it.
#[derive(Debug)]
pub enum Body {
    Empty,
    Bytes(Vec<u8>),
    /// Best the stream that the engine gave, untouched.
    Stream(StreamReader<u8>),
}

/// An answer whose head has arrived.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, Vec<u8>)>,
    response: WasiResponse,
    /// Answers to `HEAD` have none, whatever their `content-length` says.
    has_body: bool,
    server: String,
}

/// Resolves when an answer's body has ended, to how it ended.
type Ended = FutureReader<Result<Option<Trailers>, ErrorCode>>;

/// Sends a request and waits for the answer's head. Every status is an answer.
///
/// # Errors
/// `connection-failed`, `timeout`, `protocol`, and `permission-denied` where the endpoint wasn't
/// granted. Messages name the server.
pub async fn send(request: Request) -> Result<Response, Error> {
    let uri: http::Uri = request.url.parse().map_err(|_| error::internal("the connector made a URL that isn't one"))?;
    let server = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => return Err(error::internal("the connector made a URL without a server")),
    };
    let has_body = !request.method.eq_ignore_ascii_case("HEAD");
    let mut headers = request.headers;
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
    let is_empty = matches!(request.body, Body::Empty) && ["POST", "PUT"].contains(&request.method.as_str());
    if is_empty && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        // Where a body may come, some servers refuse not to be told that there is none (RFC 9110, section 8.6).
        headers.push(("content-length".to_owned(), b"0".to_vec()));
    }
    let fields =
        Fields::from_list(&headers).map_err(|_| error::internal("the connector made a header that isn't one"))?;
    let contents = match request.body {
        Body::Empty => None,
        Body::Stream(stream) => Some(stream),
        Body::Bytes(bytes) => {
            let (mut writer, reader) = wit_stream::new::<u8>();
            spawn_local(async move {
                // A server that stops reading answers with the reason.
                writer.write_all(bytes).await;
            });
            Some(reader)
        }
    };
    let (_, trailers) = wit_future::new::<Result<Option<Trailers>, ErrorCode>>(|| Ok(None));
    let (outgoing, _sent) = WasiRequest::new(fields, contents, trailers, None);
    let scheme = if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let set = outgoing
        .set_method(&method(&request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(uri.authority().map(http::uri::Authority::as_str)))
        .and_then(|()| outgoing.set_path_with_query(uri.path_and_query().map(http::uri::PathAndQuery::as_str)));
    set.map_err(|()| error::internal("the connector made a request that isn't one"))?;
    let response = client::send(outgoing).await.map_err(|code| failure(&server, code))?;
    let status = response.get_status_code();
    let headers = response.get_headers().copy_all();
    Ok(Response { status, headers, response, has_body, server })
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    }
}

/// What went wrong on the way to a server and back.
pub fn failure(server: &str, code: ErrorCode) -> Error {
    match code {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => error::connection_failed(format!(
            "no address was found for {server}: check the endpoint's name and this machine's name servers"
        )),
        ErrorCode::ConnectionRefused => error::connection_failed(format!(
            "{server} refused the connection: check the endpoint's port and whether the server runs"
        )),
        ErrorCode::ConnectionTimeout => {
            error::timeout(format!("{server} didn't accept the connection in time: check the endpoint and firewalls"))
        }
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            error::connection_failed(format!("there is no way to {server}: check the endpoint, bind and proxy"))
        }
        ErrorCode::TlsCertificateError => error::new(
            "untrusted",
            format!(
                "the certificate of {server} isn't trusted: set ca_file to its authority's, or correct the endpoint"
            ),
        ),
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            error::protocol(format!("{server} doesn't speak TLS as it should: check the endpoint's scheme and port"))
        }
        ErrorCode::HttpRequestDenied => error::permission_denied(format!(
            "the pipeline grants no access to {server}: only its endpoint may be reached"
        )),
        ErrorCode::HttpResponseTimeout => error::timeout(format!("{server} didn't answer in time")),
        ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout => {
            error::timeout(format!("{server} stopped in the middle of an exchange"))
        }
        ErrorCode::HttpResponseIncomplete | ErrorCode::HttpResponseBodySize(_) | ErrorCode::ConnectionTerminated => {
            error::connection_failed(format!("{server} closed the connection in the middle of an exchange"))
        }
        ErrorCode::HttpProtocolError => {
            error::protocol(format!("what {server} answered isn't HTTP: check the endpoint's scheme and port"))
        }
        ErrorCode::InternalError(_) => error::cancelled("the request's body ended early"),
        _ => error::connection_failed(format!("the exchange with {server} failed")),
    }
}

/// The value of the header `range`; none for all of an object.
///
/// # Errors
/// `internal` for a range without bytes.
pub fn range(range: &Range) -> Result<Option<String>, Error> {
    match (range.offset, range.length) {
        (0, None) => Ok(None),
        (offset, None) => Ok(Some(format!("bytes={offset}-"))),
        (_, Some(0)) => Err(error::internal("a range without bytes can't be asked for")),
        (offset, Some(length)) => Ok(Some(format!("bytes={offset}-{}", offset.saturating_add(length - 1)))),
    }
}

// === impl Response ===

impl Response {
    /// A header's value, if it's there and plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// All headers, in the server's order.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// `https://host:port` of the server that answered.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The whole body, in the guest's memory.
    ///
    /// # Errors
    /// The body broke off, or has more than `max` bytes.
    pub async fn collect(self, max: usize) -> Result<Vec<u8>, Error> {
        if !self.has_body {
            return Ok(Vec::new());
        }
        let server = self.server.clone();
        let (mut stream, ended) = self.into_body();
        let mut bytes = Vec::new();
        loop {
            let (result, read) = stream.read(Vec::with_capacity(64 * 1024)).await;
            bytes.extend_from_slice(&read);
            if bytes.len() > max {
                return Err(error::protocol(format!("{server} answered with more than {max} bytes")));
            }
            if result == crate::StreamResult::Dropped {
                break;
            }
        }
        ended.await.map_err(|code| failure(&server, code))?;
        Ok(bytes)
    }

    /// The body as the host's own stream, and how it ended.
    pub fn into_body(self) -> (StreamReader<u8>, Ended) {
        let (_, processed) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
        WasiResponse::consume_body(self.response, processed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_its_first_and_last_byte() {
        let text = |offset, length| range(&Range { offset, length }).map_err(|error| error.code);
        assert_eq!(text(0, None), Ok(None));
        assert_eq!(text(5, None), Ok(Some("bytes=5-".to_owned())));
        assert_eq!(text(5, Some(3)), Ok(Some("bytes=5-7".to_owned())));
        assert_eq!(text(5, Some(0)), Err("internal".to_owned()));
    }
}
