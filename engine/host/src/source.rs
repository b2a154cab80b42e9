//! `flow::Source` over a connector: calls go in, entries and bytes come out, under deadlines. Bytes
//! of a file that the guest passed on are read here and never enter the guest.

use culvert_flow::{
    body::{Chunk, Extent},
    error::{Code, Error},
    object::{Entry, Key, Object, Range},
    source::{Data, Form, Listing, Reading, Source, Wanted as Item},
};
use futures_util::StreamExt;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use wasmtime::component::{Accessor, FutureReader, StreamReader};

use crate::{
    bindings::{culvert::connector::types as wit, exports::culvert::connector::source_batch as wit_batch},
    channel::{Deliver, Wanted, bytewise, items},
    convert,
    files::{FileReading, error_code},
    http::Incoming,
    instance::Instance,
    posix::FilesReading,
    sockets::SocketReading,
    state::State,
};

/// One instance of a source connector.
pub struct HostSource {
    instance: Instance,
}

/// A listing under way.
pub struct HostListing {
    instance: Instance,
    batches: futures_channel::mpsc::Receiver<Vec<wit::Entry>>,
    batch: std::vec::IntoIter<wit::Entry>,
    outcome: Option<oneshot::Receiver<Result<(), wit::Error>>>,
    deadline: Instant,
}

/// The bytes of a reading.
pub struct HostData {
    instance: Instance,
    key: Key,
    origin: Option<Origin>,
    /// Bytes of the range that are still to come; none: to the end.
    left: Option<u64>,
    outcome: Option<oneshot::Receiver<Result<(), wit::Error>>>,
}

/// Who makes the bytes.
enum Origin {
    File(FileReading),
    Files(FilesReading),
    Socket(SocketReading),
    Http(Incoming),
    Guest(Wanted),
}

type Outcome = oneshot::Receiver<Result<(), wit::Error>>;

// === impl HostSource ===

impl HostSource {
    pub(crate) fn new(instance: Instance) -> Self {
        Self { instance }
    }

    fn missing(operation: &'static str) -> wasmtime::Error {
        wasmtime::Error::msg(format!("the connector can't {operation}: it has no interface for it"))
    }
}

impl Source for HostSource {
    type Listing = HostListing;
    type Data = HostData;

    async fn list(&mut self, folder: Option<&Key>, after: Option<&Key>) -> Result<HostListing, Error> {
        let (folder, after) = (text(folder).unwrap_or_default(), text(after));
        let limits = self.instance.limits();
        let deadline = Instant::now() + limits.listing_timeout;
        let called = self.instance.call("list", async move |accessor, exports| {
            let source = exports.source.as_ref().ok_or_else(|| Self::missing("list"))?;
            match source.call_list(accessor, folder, after).await? {
                Ok((entries, outcome)) => accessor.with(|mut access| {
                    let (consumer, batches) = items();
                    entries.pipe(&mut access, consumer)?;
                    Ok(Ok((batches, deliver(&mut access, outcome)?)))
                }),
                Err(error) => Ok(Err(error)),
            }
        });
        let (batches, outcome) = called.await?.map_err(|error| convert::error(error, "list"))?;
        let batch = Vec::new().into_iter();
        Ok(HostListing { instance: self.instance.clone(), batches, batch, outcome: Some(outcome), deadline })
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        let asked = key.as_str().to_owned();
        let called = self.instance.call("stat", async move |accessor, exports| {
            let source = exports.source.as_ref().ok_or_else(|| Self::missing("stat"))?;
            source.call_stat(accessor, asked).await
        });
        let object = called.await.map_err(|error| error.with_key(key))?;
        object.map_err(|error| convert::error(error, "stat").with_key(key)).and_then(|it| same_key(it, key, "stat"))
    }

    async fn read(&mut self, key: &Key, range: Range, version: Option<&str>) -> Result<Reading<HostData>, Error> {
        let (asked, version) = (key.as_str().to_owned(), version.map(str::to_owned));
        let wanted = wit::Range { offset: range.offset, length: range.length };
        let called = self.instance.call("read", async move |accessor, exports| {
            let source = exports.source.as_ref().ok_or_else(|| Self::missing("read"))?;
            match source.call_read(accessor, asked, wanted, version).await? {
                Ok(reading) => {
                    let (origin, outcome) = take_over(accessor, reading.data, reading.outcome)?;
                    Ok(Ok((reading.object, origin, outcome)))
                }
                Err(error) => Ok(Err(error)),
            }
        });
        let opened = called.await.map_err(|error| error.with_key(key))?;
        let (object, origin, outcome) = opened.map_err(|error| convert::error(error, "read").with_key(key))?;
        let object = same_key(object, key, "read")?;
        let instance = self.instance.clone();
        let (origin, outcome) = (Some(origin), Some(outcome));
        Ok(Reading { object, data: HostData { instance, key: key.clone(), origin, left: range.length, outcome } })
    }

    async fn read_batch(&mut self, objects: &[Item<'_>]) -> Result<HostData, Error> {
        let Some(first) = objects.first() else {
            return Err(Error::new(Code::INTERNAL, "read-batch", "a batch of nothing"));
        };
        let key = first.key.clone();
        let item = |Item { key, size, version }: &Item<'_>| wit_batch::Wanted {
            key: key.as_str().to_owned(),
            size: *size,
            version: (*version).to_owned(),
        };
        let wanted = objects.iter().map(item).collect();
        let called = self.instance.call("read-batch", async move |accessor, exports| {
            let source = exports.source_batch.as_ref().ok_or_else(|| Self::missing("read-batch"))?;
            match source.call_read_batch(accessor, wanted).await? {
                Ok((data, outcome)) => Ok(Ok(take_over(accessor, data, outcome)?)),
                Err(error) => Ok(Err(error)),
            }
        });
        let (origin, outcome) = called.await?.map_err(|error| convert::error(error, "read-batch"))?;
        let left = Some(objects.iter().map(|object| object.size).sum());
        let instance = self.instance.clone();
        Ok(HostData { instance, key, origin: Some(origin), left, outcome: Some(outcome) })
    }
}

fn text(key: Option<&Key>) -> Option<String> {
    key.map(|key| key.as_str().to_owned())
}

/// An answer about another object than the one that was asked for isn't an answer.
fn same_key(it: wit::Object, key: &Key, operation: &'static str) -> Result<Object, Error> {
    let object = convert::object(it, operation).map_err(|error| error.with_key(key))?;
    if object.key == *key {
        return Ok(object);
    }
    Err(Error::new(Code::PROTOCOL, operation, "the connector answered about another object").with_key(key))
}

/// Takes a file or an HTTP answer that the guest passed on, or asks the guest for its bytes.
fn take_over(
    accessor: &Accessor<State>,
    data: StreamReader<u8>,
    outcome: FutureReader<Result<(), wit::Error>>,
) -> wasmtime::Result<(Origin, Outcome)> {
    accessor.with(|mut access| {
        let outcome = deliver(&mut access, outcome)?;
        let origin = match data.try_into::<FileReading>(&mut access) {
            Ok(file) => Origin::File(file),
            Err(data) => match data.try_into::<SocketReading>(&mut access) {
                Ok(socket) => Origin::Socket(socket),
                Err(data) => match data.try_into::<Incoming>(&mut access) {
                    Ok(answer) => Origin::Http(answer),
                    Err(data) => match data.try_into::<FilesReading>(&mut access) {
                        Ok(files) => Origin::Files(files),
                        Err(data) => {
                            let (consumer, wanted) = bytewise();
                            data.pipe(&mut access, consumer)?;
                            Origin::Guest(wanted)
                        }
                    },
                },
            },
        };
        Ok((origin, outcome))
    })
}

fn deliver(
    store: impl wasmtime::AsContextMut<Data = State>,
    outcome: FutureReader<Result<(), wit::Error>>,
) -> wasmtime::Result<Outcome> {
    let (sender, receiver) = oneshot::channel();
    outcome.pipe(store, Deliver(Some(sender)))?;
    Ok(receiver)
}

// === impl HostListing ===

impl Listing for HostListing {
    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if let Some(entry) = self.batch.next() {
                return Ok(Some(convert::entry(entry)));
            }
            let idle = self.instance.limits().idle_timeout;
            let until = self.deadline.min(Instant::now() + idle);
            match timeout_at(until, self.batches.next()).await {
                Ok(Some(batch)) => self.batch = batch.into_iter(),
                Ok(None) => return self.end().await,
                Err(_) if Instant::now() >= self.deadline => {
                    return Err(self.instance.end("list", self.instance.limits().listing_timeout));
                }
                Err(_) => return Err(self.instance.end("list", idle)),
            }
        }
    }
}

impl HostListing {
    async fn end(&mut self) -> Result<Option<Entry>, Error> {
        let Some(outcome) = self.outcome.take() else { return Ok(None) };
        conclude(&self.instance, "list", outcome).await.map(|()| None)
    }
}

/// Waits for the guest's last word.
async fn conclude(instance: &Instance, operation: &'static str, outcome: Outcome) -> Result<(), Error> {
    let idle = instance.limits().idle_timeout;
    match timeout(idle, outcome).await {
        Ok(Ok(result)) => result.map_err(|error| convert::error(error, operation)),
        Ok(Err(_)) => Err(instance.verdict(operation)),
        Err(_) => Err(instance.end(operation, idle)),
    }
}

// === impl HostData ===

impl Data for HostData {
    async fn read(&mut self, max: usize, form: Form) -> Result<Option<Chunk>, Error> {
        let max = self.left.map_or(max, |left| usize::try_from(left).unwrap_or(max).min(max));
        if max == 0 {
            return self.end().await.map(|()| None);
        }
        let chunk = match &mut self.origin {
            None => None,
            Some(Origin::File(file)) => Self::from_file(file, max, form, self.left.is_some())
                .map_err(|error| io_error(&error).with_key(&self.key))?,
            // A failure is told by its future.
            Some(Origin::Files(files)) => {
                let bytes = files.next(max);
                (!bytes.is_empty()).then_some(Chunk::Bytes(bytes))
            }
            // A failure is the guest's to tell, which knows the server's own word on it.
            Some(Origin::Socket(socket)) => {
                let bytes = socket.next(max).await.unwrap_or_default();
                (!bytes.is_empty()).then_some(Chunk::Bytes(bytes))
            }
            Some(Origin::Http(answer)) => {
                let next = answer.next(max).await;
                next.map_err(|error| broken_off(error).with_key(&self.key))?.map(Chunk::Bytes)
            }
            Some(Origin::Guest(wanted)) => {
                let idle = self.instance.limits().idle_timeout;
                match timeout(idle, wanted.next(max)).await {
                    Ok(bytes) => bytes.map(Chunk::Bytes),
                    Err(_) => return Err(self.instance.end("read", idle).with_key(&self.key)),
                }
            }
        };
        match chunk {
            Some(chunk) => {
                self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
                Ok(Some(chunk))
            }
            None => self.end().await.map(|()| None),
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        // A range ends where it was asked to end; a whole object must end by itself.
        let more = match (&mut self.origin, self.left) {
            (Some(Origin::File(file)), None) => {
                file.has_more().map_err(|error| io_error(&error).with_key(&self.key))?
            }
            (Some(Origin::Socket(socket)), None) => socket.next(1).await.is_ok_and(|bytes| !bytes.is_empty()),
            (Some(Origin::Http(answer)), _) => {
                answer.next(1).await.map_err(|error| broken_off(error).with_key(&self.key))?.is_some()
            }
            (Some(Origin::Guest(wanted)), _) => {
                let idle = self.instance.limits().idle_timeout;
                match timeout(idle, wanted.next(1)).await {
                    Ok(bytes) => bytes.is_some(),
                    Err(_) => return Err(self.instance.end("read", idle).with_key(&self.key)),
                }
            }
            _ => false,
        };
        if more {
            let message = "the object has more bytes than its store announced";
            return Err(Error::new(Code::CHANGED, "read", message).with_key(&self.key));
        }
        self.end().await
    }
}

impl HostData {
    /// The next piece of a file: its bytes, or where they are.
    fn from_file(file: &mut FileReading, max: usize, form: Form, ranged: bool) -> std::io::Result<Option<Chunk>> {
        if form == Form::Bytes {
            let bytes = file.next(max)?;
            return Ok((!bytes.is_empty()).then_some(Chunk::Bytes(bytes)));
        }
        // A range was cut from a size that's known; the copy itself finds a file that shrank.
        let left = if ranged { max as u64 } else { file.left()? };
        let length = usize::try_from(left).unwrap_or(max).min(max);
        if length == 0 {
            return Ok(None);
        }
        let extent = Extent { file: std::sync::Arc::clone(&file.file), offset: file.offset, length };
        file.offset = file.offset.saturating_add(length as u64);
        Ok(Some(Chunk::Extent(extent)))
    }

    /// Closes the data and waits for the source's word on it.
    async fn end(&mut self) -> Result<(), Error> {
        // An HTTP answer that wasn't read to its end takes its connection with it.
        match self.origin.take() {
            Some(Origin::File(mut file)) => file.close(Ok(())),
            Some(Origin::Files(files)) => files.finish(),
            Some(Origin::Socket(mut socket)) => socket.close(Ok(())),
            _ => {}
        }
        let Some(outcome) = self.outcome.take() else { return Ok(()) };
        conclude(&self.instance, "read", outcome).await.map_err(|error| error.with_key(&self.key))
    }
}

/// The source's server stopped before it had sent everything.
fn broken_off(error: String) -> Error {
    Error::new(Code::CONNECTION_FAILED, "read", format!("the answer broke off: {error}"))
}

fn io_error(error: &std::io::Error) -> Error {
    tracing::debug!(code = ?error_code(error), "reading a file failed");
    Error::new(Code::IO, "read", error.to_string())
}
