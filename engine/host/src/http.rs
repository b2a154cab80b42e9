//! HTTP for connectors: connections that are kept and shared by the requests of one instance, proxies,
//! TLS, timeouts, a credit for every request. Reaches nothing but what was granted, follows no
//! redirect, retries nothing and logs no header.

mod body;
mod connect;
mod exchange;
mod failure;
mod hooks;
mod link;
mod settings;

use std::{sync::Arc, time::Duration};

use culvert_flow::{body::MAX_CHUNK_BYTES, tunnel::Tunnel};
use http::{Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::{legacy::Client as Pool, proxy::matcher::Matcher},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, WasiBody};

pub use self::settings::{Bind, Settings};
pub(crate) use self::{body::Incoming, exchange::Exchange, hooks::Hooks, link::replace_bodies};
use self::{
    body::{Arriving, Leaving},
    connect::Dial,
};
use crate::progress::Progress;

/// How long a connection is kept without a request: below the 20 s to 60 s after which servers and
/// load balancers drop one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Connections that one instance keeps for later: it does one call at a time, and a listing goes on
/// beside it.
const MAX_IDLE: usize = 4;
/// Least buffer of a connection: an answer's head must fit. It's a chunk's size where nothing limits it: a
/// larger one saves no time, and every worker has two of them while a chunk is written.
const LEAST_BUFFER_BYTES: usize = 64 * 1024;
/// How long the first address of a name may take before the next one is tried beside it (RFC 8305,
/// section 5).
const HAPPY_EYEBALLS: Duration = Duration::from_millis(250);

/// What all instances of one end of a pipeline share: settings, roots, the bound on connections, the
/// tunnel. Cheap to clone.
#[derive(Clone)]
pub struct Http(Arc<Shared>);

struct Shared {
    settings: Settings,
    tls: rustls::ClientConfig,
    proxies: Arc<Matcher>,
    permits: Arc<Semaphore>,
    tunnel: Tunnel,
}

/// One instance's client. Its connections live on the worker's thread: no request wakes another one.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Arc<Shared>,
    pool: Pool<HttpsConnector<Dial>, WasiBody>,
}

// === impl Http ===

impl Http {
    /// Reads the roots. `tunnel` is asked for a credit before every request.
    ///
    /// # Errors
    /// What's wrong with the settings, and what to do.
    pub fn new(settings: Settings, tunnel: Tunnel) -> Result<Self, String> {
        let tls = settings.tls()?;
        let proxies = Arc::new(settings.proxies()?);
        let permits = Arc::new(Semaphore::new(settings.max_connections.get()));
        Ok(Self(Arc::new(Shared { settings, tls, proxies, permits, tunnel })))
    }

    pub(crate) fn client(&self) -> Client {
        let shared = Arc::clone(&self.0);
        let dial = Dial::new(&shared.settings, Arc::clone(&shared.proxies));
        let secured = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(shared.tls.clone());
        let connector = secured.https_or_http().enable_http1().wrap_connector(dial);
        let mut pool = Pool::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new()).pool_idle_timeout(KEEP_ALIVE).pool_max_idle_per_host(MAX_IDLE);
        let buffer = shared.settings.read_ahead.unwrap_or(MAX_CHUNK_BYTES).max(LEAST_BUFFER_BYTES);
        pool.http1_max_buf_size(buffer);
        Client { shared, pool: pool.build(connector) }
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Http").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

// === impl Client ===

impl Client {
    /// Sends one request and returns once the answer's head is there. Its connection counts until
    /// the answer's body has ended or is dropped.
    ///
    /// # Errors
    /// No connection, no answer in time, or one that isn't HTTP.
    async fn send(self, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
        let Settings { response_timeout, idle_timeout, .. } = self.shared.settings;
        let permits = Arc::clone(&self.shared.permits);
        let permit = permits.acquire_owned().await.map_err(|_| Error::ConnectionLimitReached)?;
        self.shared.tunnel.take_request().await.spend();
        let progress = Arc::new(Progress::default());
        let request = request.map(|body| Leaving::new(body, Arc::clone(&progress)).boxed());
        let host = request.uri().host().unwrap_or_default().to_owned();
        let mut answer = std::pin::pin!(self.pool.request(self.through_proxy(request)));
        let response = loop {
            // While the body waits for the tunnel or the source, the server isn't the one to blame.
            let before = progress.steps();
            match tokio::time::timeout(response_timeout, &mut answer).await {
                Ok(answered) => break answered.map_err(|error| failure::of_request(&error, &host))?,
                Err(_) if before.is_some() && before == progress.steps() => return Err(Error::HttpResponseTimeout),
                Err(_) => {}
            }
        };
        Ok(response.map(|body| Arriving::new(body, permit, idle_timeout).boxed()))
    }

    /// A proxy for plain HTTP takes its password with every request, one for HTTPS when connecting.
    fn through_proxy(&self, mut request: Request<WasiBody>) -> Request<WasiBody> {
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTP)
            && let Some(proxy) = self.shared.proxies.intercept(request.uri())
            && let Some(password) = proxy.basic_auth()
        {
            request.headers_mut().insert(http::header::PROXY_AUTHORIZATION, password.clone());
        }
        request
    }
}
