//! Why a request failed: which of name, route, TLS and protocol it was, in WASI's words and in the
//! contract's. The text of an error goes to the debug log with the host's name, never a header.

use std::error::Error as StdError;

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

use crate::bindings::culvert::connector::types as wit;

/// Why there is no answer.
pub(super) fn of_request(error: &legacy::Error, host: &str) -> Error {
    let chain = chain(error);
    tracing::debug!(host, error = text(&chain), "an HTTP request failed");
    of_chain(&chain, error.is_connect())
}

/// Why an answer ended early.
pub(super) fn of_body(error: &hyper::Error) -> Error {
    let chain = chain(error);
    tracing::debug!(error = text(&chain), "an HTTP answer broke off");
    of_chain(&chain, false)
}

/// What a guest is told, with what to do about it.
pub(super) fn told(server: &str, error: &Error) -> wit::Error {
    let (code, message) = match error {
        Error::DnsTimeout | Error::DnsError { .. } => (
            "connection-failed",
            format!("no address was found for {server}: check the endpoint's name and this machine's name servers"),
        ),
        Error::ConnectionRefused => (
            "connection-failed",
            format!("{server} refused the connection: check the endpoint's port and whether the server runs"),
        ),
        Error::ConnectionTimeout => {
            ("timeout", format!("{server} didn't accept the connection in time: check the endpoint and firewalls"))
        }
        Error::DestinationUnavailable | Error::DestinationIpUnroutable => {
            ("connection-failed", format!("there is no way to {server}: check the endpoint, bind and proxy"))
        }
        Error::TlsCertificateError => (
            "untrusted",
            format!(
                "the certificate of {server} isn't trusted: set ca_file to its authority's, or correct the endpoint"
            ),
        ),
        Error::TlsProtocolError | Error::TlsAlertReceived { .. } => {
            ("protocol", format!("{server} doesn't speak TLS as it should: check the endpoint's scheme and port"))
        }
        Error::HttpRequestDenied => (
            "permission-denied",
            format!("the pipeline grants no access to {server}: only its endpoint may be reached"),
        ),
        Error::HttpResponseTimeout => ("timeout", format!("{server} didn't answer in time")),
        Error::ConnectionReadTimeout | Error::ConnectionWriteTimeout => {
            ("timeout", format!("{server} stopped in the middle of an exchange"))
        }
        Error::HttpResponseIncomplete | Error::HttpResponseBodySize(_) | Error::ConnectionTerminated => {
            ("connection-failed", format!("{server} closed the connection in the middle of an exchange"))
        }
        Error::HttpProtocolError => {
            ("protocol", format!("what {server} answered isn't HTTP: check the endpoint's scheme and port"))
        }
        Error::InternalError(_) => ("cancelled", "the request's body ended early".to_owned()),
        _ => ("connection-failed", format!("the exchange with {server} failed")),
    };
    wit::Error { code: code.to_owned(), message, retry_after: None }
}

fn of_chain(chain: &[&(dyn StdError + 'static)], connecting: bool) -> Error {
    for error in chain {
        // hyper-util's own type for this isn't public.
        if error.to_string().starts_with("dns error") {
            return Error::DnsError { rcode: None, info_code: None };
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return of_tls(error);
        }
        if let Some(error) = error.downcast_ref::<Error>() {
            // A request's own body gave up: its maker knows why.
            return Error::InternalError(Some(error.to_string()));
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_incomplete_message() {
                return Error::HttpResponseIncomplete;
            }
            if error.is_parse() || error.is_parse_status() {
                return Error::HttpProtocolError;
            }
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && let Some(known) = of_io(error, connecting)
        {
            return known;
        }
    }
    if connecting { Error::DestinationUnavailable } else { Error::ConnectionTerminated }
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}

/// None where another error of the chain tells more.
fn of_io(error: &std::io::Error, connecting: bool) -> Option<Error> {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Error::ConnectionRefused),
        ErrorKind::TimedOut if connecting => Some(Error::ConnectionTimeout),
        ErrorKind::TimedOut => Some(Error::ConnectionReadTimeout),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            Some(Error::DestinationIpUnroutable)
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Some(Error::ConnectionTerminated)
        }
        _ => None,
    }
}

/// An error and its causes. An [`std::io::Error`] hides the one it wraps.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(error);
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    chain
}

fn text(chain: &[&(dyn StdError + 'static)]) -> String {
    chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
