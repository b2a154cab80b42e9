//! Why a request failed, in WASI's words: which of name, route, TLS and protocol it was. The text of
//! an error goes to the debug log with the host's name, never a header.

use std::error::Error as StdError;

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

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
