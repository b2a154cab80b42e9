//! `GET /metrics` and nothing else, over HTTP/1.1 in clear and to whoever asks: there's no secret in it.
//! Holds a run up in no case.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::Metrics;
use crate::exit::Failure;

/// More scrapers than anybody has; the others wait.
const MAX_CONNECTIONS: usize = 16;
/// Longest that one may take to ask, or to take what it asked for.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a listener failed, for want of files as a rule.
const PAUSE: Duration = Duration::from_secs(1);
/// The format's own name.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers for as long as the run's `LocalSet` is there.
///
/// # Errors
/// Nobody may listen there, or somebody does.
pub(crate) async fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::usage(format!("--metrics-listen {address}: {error}")))?;
    tokio::task::spawn_local(async move {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        // Nobody closes it.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let metrics = Arc::clone(&metrics);
            tokio::task::spawn_local(async move {
                // Whoever doesn't wait for the answer doesn't want it.
                let _ = tokio::time::timeout(PATIENCE, connection(stream, metrics)).await;
                drop(place);
            });
        }
    });
    Ok(())
}

async fn connection(stream: TcpStream, metrics: Arc<Metrics>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answer = answer(&request, &metrics);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).keep_alive(false);
    builder.serve_connection(TokioIo::new(stream), service).await
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, header, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, (CONTENT_TYPE, FORMAT), metrics.text()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET, HEAD"), String::new()),
        _ => (StatusCode::NOT_FOUND, (CONTENT_TYPE, "text/plain"), "ask for /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header.0, hyper::header::HeaderValue::from_static(header.1));
    response
}
