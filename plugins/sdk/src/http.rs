//! One HTTP exchange. The engine keeps the connections, meters the requests and refuses what wasn't
//! granted; nothing is retried or redirected here.
//!
//! A body that the engine handed over goes out as it is, and an answer's body can be handed back: the
//! bytes of neither enter the guest's memory.

use crate::{
    FutureReader, StreamReader, StreamResult,
    bindings::exchange::culvert::connector::exchange,
    error, stream,
    types::{Error, Range},
};

/// A request to be sent.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Absolute, with everything escaped that must be.
    pub url: String,
    /// Without `host`, which the engine sets.
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
    data: Option<(StreamReader<u8>, Ended)>,
}

/// Resolves when an answer's body has ended, to how it ended: the outcome of a reading.
pub type Ended = FutureReader<Result<(), Error>>;

/// Sends a request and waits for the answer's head. Every status is an answer.
///
/// # Errors
/// `connection-failed`, `timeout`, `protocol`, and `permission-denied` where the endpoint wasn't
/// granted. Messages name the server.
pub async fn send(request: Request) -> Result<Response, Error> {
    let Request { method, url, mut headers, body } = request;
    // Where a body may come, some servers refuse not to be told how long it is, or that there is none
    // (RFC 9110, section 8.6).
    let length = match &body {
        Body::Bytes(bytes) => Some(bytes.len()),
        Body::Empty if ["POST", "PUT", "DELETE"].contains(&method.as_str()) => Some(0),
        Body::Empty | Body::Stream(_) => None,
    };
    if let Some(length) = length
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
    {
        headers.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    let body = match body {
        Body::Empty => exchange::Body::Empty,
        Body::Bytes(bytes) => exchange::Body::Bytes(bytes),
        Body::Stream(data) => exchange::Body::Data(data),
    };
    let exchange::Answer { status, headers, data } =
        exchange::send(exchange::Request { method, url, headers, body }).await?;
    Ok(Response { status, headers, data })
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

    /// The whole body, in the guest's memory.
    ///
    /// # Errors
    /// The body broke off, or has more than `max` bytes.
    pub async fn collect(self, max: usize) -> Result<Vec<u8>, Error> {
        let Some((mut data, ended)) = self.data else { return Ok(Vec::new()) };
        let mut bytes = Vec::new();
        loop {
            let (result, read) = data.read(Vec::with_capacity(64 * 1024)).await;
            bytes.extend_from_slice(&read);
            if bytes.len() > max {
                return Err(error::protocol(format!("the server answered with more than {max} bytes")));
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        ended.await?;
        Ok(bytes)
    }

    /// The body as the host's own stream, and how it ended: what `read` returns, as they are.
    pub fn into_body(self) -> (StreamReader<u8>, Ended) {
        self.data.unwrap_or_else(|| (stream::empty(), stream::outcome(async { Ok(()) })))
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
