//! The connection to a fleet: a thread that drives it, the buckets that everything is kept in. It's made
//! again by itself when it's lost, for ever; what was asked for meanwhile fails by its deadline.

use std::{
    fmt::Display,
    future::Future,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use async_nats::{
    Client, Event,
    jetstream::{
        Context,
        context::{ContextBuilder, KeyValueErrorKind},
        kv,
    },
};
use culvert_flow::{
    error::{Code, Error},
    sync::Cancel,
};
use tokio::runtime::Handle;

use crate::server::Server;

/// The bucket of tunnels, agents, addresses, tasks and runs.
const RECORDS: &str = "culvert";
/// The bucket of who is there.
const SEATS: &str = "culvert-seats";
/// What nobody has said again for so long is gone: three words that are lost.
pub(crate) const SEAT_AGE: Duration = Duration::from_secs(6);
/// Longest wait for the server's answer to one question.
const ANSWER: Duration = Duration::from_secs(5);
/// Longest wait of a command for all of what it asks at a time.
const PATIENCE: Duration = Duration::from_secs(15);
/// A connection on which nothing comes back for two of these is made again.
const PING: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to connect again: a lease lasts 3 s.
const RECONNECT: Duration = Duration::from_millis(500);

/// A connection to a fleet. Cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

struct Inner {
    handle: Handle,
    stop: Cancel,
    jetstream: Context,
    records: kv::Store,
    seats: kv::Store,
    /// How often each thing is kept, as the bucket of the records says.
    replicas: usize,
}

// === impl Fleet ===

impl Fleet {
    /// Connects, and makes the buckets where they are missing. `name`: what the server calls this process.
    ///
    /// # Errors
    /// No server can be reached, it refuses the credentials, or it has no JetStream.
    pub fn connect(server: &Server, name: &str) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(Code::IO, "fleet", format!("can't start a thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (handle, stop) = (runtime.handle().clone(), Cancel::new());
        let heard = stop.clone();
        let drive = move || runtime.block_on(heard.cancelled());
        thread::Builder::new().name("fleet".to_owned()).spawn(drive).map_err(failed)?;
        let (addresses, options) = (server.addresses().to_vec(), server.options()?.name(name));
        let opened = wait(&handle, async move {
            let options = options.ping_interval(PING).request_timeout(Some(ANSWER));
            let options = options.reconnect_delay_callback(|attempts| {
                RECONNECT.min(Duration::from_millis(50).saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX)))
            });
            let options = options.event_callback(|event| async move { tell(&event) });
            let client = options.connect(&*addresses).await.map_err(|error| unreached(&addresses, &error))?;
            Box::pin(open(client)).await
        });
        let (jetstream, records, seats) = opened.inspect_err(|_| stop.cancel())?;
        let replicas = records.stream.cached_info().config.num_replicas;
        Ok(Self(Arc::new(Inner { handle, stop, jetstream, records, seats, replicas })))
    }

    pub(crate) fn jetstream(&self) -> &Context {
        &self.0.jetstream
    }

    pub(crate) fn records(&self) -> &kv::Store {
        &self.0.records
    }

    pub(crate) fn seats(&self) -> &kv::Store {
        &self.0.seats
    }

    pub(crate) fn replicas(&self) -> usize {
        self.0.replicas
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    /// Does something on the connection's thread, for a caller that isn't asynchronous.
    pub(crate) fn wait<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        wait(&self.0.handle, work)
    }

    /// The same for one that is. It's done even if nobody waits for it any more.
    pub(crate) async fn on<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.0.handle.spawn(work).await.unwrap_or_else(|error| Err(failure(Code::INTERNAL, error)))
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fleet").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A failure of the fleet.
pub(crate) fn failure(code: Code, error: impl Display) -> Error {
    Error::new(code, "fleet", format!("the fleet: {error}"))
}

fn wait<T, W>(handle: &Handle, work: W) -> Result<T, Error>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = handle.spawn(async move {
        // Who doesn't wait any more doesn't want to know.
        let _ = sender.send(work.await);
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        work.abort();
        Err(failure(Code::TIMEOUT, format!("no answer within {PATIENCE:?}")))
    })
}

async fn open(client: Client) -> Result<(Context, kv::Store, kv::Store), Error> {
    let jetstream = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client);
    let description = |text: &str| text.to_owned();
    let records = kv::Config {
        bucket: RECORDS.to_owned(),
        description: description("Culvert: tunnels, agents, addresses, tasks and runs"),
        history: 1,
        ..kv::Config::default()
    };
    let seats = kv::Config {
        bucket: SEATS.to_owned(),
        description: description("Culvert: who is there"),
        history: 1,
        max_age: SEAT_AGE,
        ..kv::Config::default()
    };
    let (records, seats) = (bucket(&jetstream, records).await?, bucket(&jetstream, seats).await?);
    Ok((jetstream, records, seats))
}

/// As it is, where it is: whoever made it may have chosen replicas and a place.
async fn bucket(jetstream: &Context, config: kv::Config) -> Result<kv::Store, Error> {
    let name = config.bucket.clone();
    let found = match jetstream.get_key_value(&*name).await {
        Err(error) if error.kind() != KeyValueErrorKind::JetStream => {
            Box::pin(jetstream.create_key_value(config)).await.map_err(|error| error.to_string())
        }
        found => found.map_err(|error| error.to_string()),
    };
    found.map_err(|error| {
        let message = format!(
            "the bucket {name:?} can't be opened; the server needs JetStream, and this user a right to it: {error}"
        );
        failure(Code::UNAVAILABLE, message)
    })
}

fn unreached(addresses: &[async_nats::ServerAddr], error: &async_nats::ConnectError) -> Error {
    use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation};
    let servers: Vec<_> = addresses.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect();
    let code = match error.kind() {
        Authentication | AuthorizationViolation => Code::UNAUTHENTICATED,
        _ => Code::CONNECTION_FAILED,
    };
    failure(code, format!("can't connect to {}: {error}", servers.join(", ")))
}

fn tell(event: &Event) {
    match event {
        Event::Disconnected => tracing::warn!("the connection to the fleet is lost; it's made again"),
        Event::Connected => tracing::info!("connected to the fleet"),
        Event::ClientError(error) => tracing::debug!(%error, "the connection to the fleet"),
        event => tracing::info!(%event, "the connection to the fleet"),
    }
}
