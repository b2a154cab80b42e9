//! Bodies that a guest passes on stay in the host: the engine's stream that it puts into a request,
//! the answer's stream that it returns from `read`. Replaces the two functions of `wasi:http` where
//! they meet; everything else is stock.

use tokio::sync::oneshot;
use wasmtime::{
    StoreContextMut,
    component::{Access, FutureReader, Linker, Resource, StreamReader},
};
use wasmtime_wasi_http::{
    Error, WasiHttp, WasiHttpView,
    p3::{
        Request, Response,
        bindings::http::types::{self, ErrorCode, Fields, HostRequestWithStore, RequestOptions, Trailers},
    },
};

use super::body::{FeedBody, Incoming};
use crate::{files::Feed, state::State};

type TrailersFuture = FutureReader<Result<Option<Resource<Trailers>>, ErrorCode>>;
type NewRequest = (Resource<Fields>, Option<StreamReader<u8>>, TrailersFuture, Option<Resource<RequestOptions>>);
type Made = (Resource<Request>, FutureReader<Result<(), ErrorCode>>);

/// Puts these functions in place of the stock ones.
///
/// # Errors
/// The linker has another idea of their types.
pub(crate) fn replace_bodies(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:http/types@0.3.0")?;
    types.func_wrap("[static]request.new", |store: StoreContextMut<'_, State>, parameters: NewRequest| {
        Ok((new_request(store, parameters)?,))
    })?;
    types.func_wrap(
        "[static]response.consume-body",
        |store: StoreContextMut<'_, State>,
         (response, processed): (Resource<Response>, FutureReader<Result<(), ErrorCode>>)| {
            Ok((consume_body(store, response, processed)?,))
        },
    )
}

fn new_request(
    mut store: StoreContextMut<'_, State>,
    (headers, contents, mut trailers, options): NewRequest,
) -> wasmtime::Result<Made> {
    let contents =
        match contents.map(|stream| stream.try_into::<Feed>(&mut store)) {
            Some(Ok(feed)) => {
                trailers.close(&mut store)?;
                let table = store.data_mut().http().table;
                let headers = table.delete(headers)?;
                let options = options.map(|options| table.delete(options)).transpose()?;
                let options = options.map(Into::into);
                let (request, sent) =
                    Request::new(http::Method::PUT, None, None, None, headers, options, FeedBody::new(feed));
                let request = table.push(request)?;
                let sent = FutureReader::new(&mut store, async move {
                    wasmtime::error::Ok(sent.await.map_err(|error| code(&error)))
                })?;
                return Ok((request, sent));
            }
            Some(Err(stream)) => Some(stream),
            None => None,
        };
    let access = Access::<State, WasiHttp>::new(store, State::http);
    <WasiHttp as HostRequestWithStore<State>>::new(access, headers, contents, trailers, options)
}

fn consume_body(
    mut store: StoreContextMut<'_, State>,
    response: Resource<Response>,
    mut processed: FutureReader<Result<(), ErrorCode>>,
) -> wasmtime::Result<(StreamReader<u8>, TrailersFuture)> {
    let response = store.data_mut().http().table.delete(response)?;
    processed.close(&mut store)?;
    let response = response.into_http(&mut store, async { Ok(()) })?;
    let (done, ended) = oneshot::channel();
    let stream = StreamReader::new(&mut store, Incoming::new(response.into_body(), done))?;
    let trailers = FutureReader::new(&mut store, async move {
        // A body that was dropped was dropped by its reader, who knows why.
        let ended: Result<(), Error> = ended.await.unwrap_or(Ok(()));
        wasmtime::error::Ok(ended.map(|()| None).map_err(|error| code(&error)))
    })?;
    Ok((stream, trailers))
}

/// What a guest is told of a body that broke off.
fn code(error: &Error) -> types::ErrorCode {
    match error {
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(*size),
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        _ => ErrorCode::ConnectionTerminated,
    }
}
