//! `exchange`: a request and its answer in one call. The engine's bytes stay in the host, and so does the
//! word on how an answer ended, where the guest passes both on. Retries nothing.

use bytes::Bytes;
use culvert_flow::body::MAX_CHUNK_BYTES;
use futures_util::stream::unfold;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, HasData, StreamReader};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, WasiBody};

use super::{
    Client,
    body::{FeedBody, Incoming},
    failure::told,
};
use crate::{
    bindings::culvert::connector::{
        exchange::{Answer, Body, Host, HostWithStore, Request as WitRequest},
        types as wit,
    },
    channel::bytewise,
    files::Feed,
    state::State,
};

/// How the linker finds the store's data for this interface.
pub(crate) struct Exchange;

impl HasData for Exchange {
    type Data<'a> = &'a mut State;
}

/// Where a request goes, and for messages.
struct Way {
    client: Client,
    server: String,
}

impl Host for State {}

impl HostWithStore<State> for Exchange {
    async fn send(
        accessor: &Accessor<State, Self>,
        request: WitRequest,
    ) -> wasmtime::Result<Result<Answer, wit::Error>> {
        let (request, way) = match accessor.with(|access| prepare(access, request))? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        match way.client.send(request).await {
            Ok(response) => accessor.with(|access| answer(access, response, way.server)).map(Ok),
            Err(error) => Ok(Err(told(&way.server, &error))),
        }
    }
}

fn prepare(
    mut access: Access<'_, State, Exchange>,
    asked: WitRequest,
) -> wasmtime::Result<Result<(Request<WasiBody>, Way), wit::Error>> {
    let made = |what: &str| {
        let message = format!("the connector made a {what} that isn't one");
        wit::Error { code: "internal".to_owned(), message, retry_after: None }
    };
    let Ok(uri) = asked.url.parse::<Uri>() else { return Ok(Err(made("URL"))) };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Ok(Err(made("URL"))) };
    let server = format!("{scheme}://{authority}");
    let Some(client) = access.get().hooks().client_for(&uri) else {
        return Ok(Err(told(&server, &Error::HttpRequestDenied)));
    };
    let Ok(method) = Method::from_bytes(asked.method.as_bytes()) else { return Ok(Err(made("method"))) };
    let Some(headers) = headers(asked.headers) else { return Ok(Err(made("header"))) };
    let mut request = Request::new(body(&mut access, asked.body)?);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    Ok(Ok((request, Way { client, server })))
}

/// None where one of them isn't a header, or is the engine's to say.
fn headers(asked: Vec<(String, Vec<u8>)>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(asked.len());
    for (name, value) in asked {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if DEFAULT_FORBIDDEN_HEADERS.contains(&name) {
            return None;
        }
        headers.try_append(name, HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?).ok()?;
    }
    Some(headers)
}

/// The engine's bytes, taken back, or the guest's own.
fn body(access: &mut Access<'_, State, Exchange>, body: Body) -> wasmtime::Result<WasiBody> {
    let data = match body {
        Body::Empty => return Ok(Empty::new().map_err(|never| match never {}).boxed_unsync()),
        Body::Bytes(bytes) => return Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()),
        Body::Data(data) => data,
    };
    match data.try_into::<Feed>(&mut *access) {
        Ok(feed) => Ok(FeedBody::new(feed).boxed_unsync()),
        Err(data) => {
            let (consumer, wanted) = bytewise();
            data.pipe(&mut *access, consumer)?;
            let frames = unfold(wanted, |mut wanted| async {
                let bytes = wanted.next(MAX_CHUNK_BYTES).await?;
                Some((Ok::<_, Error>(Frame::data(bytes)), wanted))
            });
            Ok(StreamBody::new(frames).boxed_unsync())
        }
    }
}

fn answer(
    mut access: Access<'_, State, Exchange>,
    response: Response<WasiBody>,
    server: String,
) -> wasmtime::Result<Answer> {
    let (head, body) = response.into_parts();
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().to_owned(), value.as_bytes().to_vec());
    let headers = head.headers.iter().map(header).collect();
    let data = if body.is_end_stream() {
        None
    } else {
        let (done, ended) = oneshot::channel();
        let data = StreamReader::new(&mut access, Incoming::new(body, done))?;
        let ended = FutureReader::new(&mut access, async move {
            // A body that was dropped was dropped by its reader, who knows why.
            let ended: Result<(), Error> = ended.await.unwrap_or(Ok(()));
            wasmtime::error::Ok(ended.map_err(|error| told(&server, &error)))
        })?;
        Some((data, ended))
    };
    Ok(Answer { status: head.status.as_u16(), headers, data })
}
