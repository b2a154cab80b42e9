//! One connection to an endpoint, directly or through a proxy. TLS comes on top of it; nothing is
//! sent here but a proxy's `CONNECT`.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Uri, uri::Scheme};
use hyper_util::{
    client::{
        legacy::connect::{Connected, Connection, HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{Bind, HAPPY_EYEBALLS, Settings};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections.
#[derive(Clone)]
pub(super) struct Dial {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

/// A connection, and whether a proxy for plain HTTP is at its end: requests then name the server.
pub(super) struct Dialled {
    stream: TokioIo<TcpStream>,
    to_proxy: bool,
}

// === impl Dial ===

impl Dial {
    pub(super) fn new(settings: &Settings, proxies: Arc<Matcher>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        tcp.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS));
        // The system doubles what it's asked for.
        tcp.set_recv_buffer_size(settings.read_ahead.map(|bytes| bytes / 2));
        match &settings.bind {
            Some(Bind::Address(address)) => tcp.set_local_address(Some(*address)),
            Some(Bind::Interface(name)) => {
                tcp.set_interface(name.clone());
            }
            None => {}
        }
        Self { tcp, proxies }
    }
}

impl Service<Uri> for Dial {
    type Response = Dialled;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Dialled, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        let proxy = self.proxies.intercept(&endpoint);
        let mut tcp = self.tcp.clone();
        Box::pin(async move {
            let Some(proxy) = proxy else {
                return Ok(Dialled { stream: tcp.call(endpoint).await?, to_proxy: false });
            };
            if endpoint.scheme() != Some(&Scheme::HTTPS) {
                return Ok(Dialled { stream: tcp.call(proxy.uri().clone()).await?, to_proxy: true });
            }
            let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
            if let Some(password) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(password.clone());
            }
            Ok(Dialled { stream: tunnel.call(endpoint).await?, to_proxy: false })
        })
    }
}

// === impl Dialled ===

impl Connection for Dialled {
    fn connected(&self) -> Connected {
        self.stream.inner().connected().proxy(self.to_proxy)
    }
}

impl hyper::rt::Read for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for Dialled {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}
