//! `flow::Transform` over a connector: bytes go in as a stream, and come out in the very amount that's
//! asked for. The connector gets no grant at all: no folder, no server, and a clock that stands still.
//! Checks what the guest answers; decides nothing.

use std::{fmt, sync::Arc};

use culvert_flow::{
    body::{Chunk, Chunks},
    error::{Code, Error},
    object::{Key, Object},
    recast::Effect,
    source::{Data, Form},
    transform::{OpenTransform, Output, Transform},
};
use tokio::{sync::oneshot, task::LocalSet, time::timeout};
use wasmtime::component::StreamReader;

use crate::{
    access::Access,
    bindings::{culvert::connector::types as wit, exports::culvert::connector::transform as wit_transform},
    channel::{Deliver, Wanted, bytewise},
    convert,
    files::Feed,
    grants::Grants,
    instance::Instance,
    limits::Limits,
    loader::Connector,
    progress::Progress,
};

/// Attributes that a transform may set or drop: far more than there are names for.
const MAX_CHANGES: usize = 64;
/// Longest name or value of one, in bytes.
const MAX_CHANGE_BYTES: usize = 1024;

/// One transform of a pipeline: a connector with its limits and its table, from which workers open their
/// instances. The table holds secrets and never shows.
#[derive(Clone)]
pub struct TransformEndpoint {
    connector: Connector,
    limits: Limits,
    config: String,
    effect: Effect,
}

/// One instance of a transform connector.
pub struct HostTransform {
    instance: Instance,
}

/// The bytes that it makes of one object.
pub struct HostOutput {
    instance: Instance,
    key: Key,
    wanted: Option<Wanted>,
    outcome: Option<oneshot::Receiver<Result<(), wit::Error>>>,
    /// Of what goes in: as long as the engine keeps it waiting, it's not the guest's fault.
    progress: Arc<Progress>,
}

fn missing() -> wasmtime::Error {
    wasmtime::Error::msg("the connector isn't a transform")
}

/// # Errors
/// The guest broke a rule of the contract.
fn effect(it: wit_transform::Effect) -> Result<Effect, Error> {
    let wit_transform::Effect { strip, append, drop, set } = it;
    let set: Vec<_> = set.into_iter().map(|attribute| (attribute.name, attribute.value)).collect();
    let longest = drop.iter().chain(set.iter().flat_map(|(name, value)| [name, value])).map(String::len).max();
    if drop.len() + set.len() > MAX_CHANGES || longest.is_some_and(|bytes| bytes > MAX_CHANGE_BYTES) {
        let message =
            format!("a transform changes more than {MAX_CHANGES} attributes, or one of {MAX_CHANGE_BYTES} bytes");
        return Err(Error::new(Code::PROTOCOL, "open", message));
    }
    let effect = Effect { strip, append, drop, set };
    effect.check().map(|()| effect)
}

// === impl TransformEndpoint ===

impl TransformEndpoint {
    /// Asks an instance what it does to objects, on a runtime of its own. `config`: the table as JSON,
    /// already checked against the connector's schema.
    ///
    /// # Errors
    /// The connector can't be a transform, or refuses its table.
    pub fn new(connector: Connector, config: String, limits: Limits) -> Result<Self, Error> {
        if connector.description().transform_schema.is_none() {
            let name = &connector.description().name;
            return Err(Error::new(Code::UNSUPPORTED, "open", format!("the connector {name} can't be a transform")));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| Error::new(Code::INTERNAL, "open", format!("can't start a runtime: {error}")))?;
        let mut endpoint = Self { connector, limits, config, effect: Effect::default() };
        let (_, effect) = LocalSet::new().block_on(&runtime, endpoint.open())?;
        endpoint.effect = effect;
        Ok(endpoint)
    }

    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    async fn open(&self) -> Result<(HostTransform, Effect), Error> {
        let refused = |reason: String| Error::new(Code::INVALID_CONFIG, "open", reason);
        let started = self.connector.start(&Grants::default(), &self.limits, &Access::default()).await;
        let instance = started.map_err(refused)?;
        let config = self.config.clone();
        let configured = instance.call("open", async move |accessor, exports| {
            exports.transform.as_ref().ok_or_else(missing)?.call_configure(accessor, config).await
        });
        let configured = configured.await?.map_err(|error| convert::error(error, "open"))?;
        Ok((HostTransform { instance }, effect(configured)?))
    }
}

impl OpenTransform for TransformEndpoint {
    type Transform = HostTransform;

    fn effect(&self) -> &Effect {
        &self.effect
    }

    async fn open_transform(&self) -> Result<HostTransform, Error> {
        let (transform, effect) = self.open().await?;
        if effect == self.effect {
            return Ok(transform);
        }
        let message = "the transform says of each of its instances that it does something else";
        Err(Error::new(Code::INTERNAL, "open", message))
    }
}

/// Everything but the table.
impl fmt::Debug for TransformEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TransformEndpoint")
            .field("connector", &self.connector.description().name)
            .field("limits", &self.limits)
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}

// === impl HostTransform ===

impl Transform for HostTransform {
    type Output = HostOutput;

    async fn apply(&mut self, object: &Object, input: Chunks) -> Result<HostOutput, Error> {
        let (sent, key) = (convert::to_wit_object(object), object.key.clone());
        let progress = Arc::new(Progress::default());
        let watched = Arc::clone(&progress);
        let applied = self.instance.call_fed("transform", &progress, async move |accessor, exports| {
            let transform = exports.transform.as_ref().ok_or_else(missing)?;
            let data = accessor.with(|access| StreamReader::new(access, Feed::new(input, None, watched)))?;
            match transform.call_apply(accessor, sent, data).await? {
                Ok((data, outcome)) => accessor.with(|mut access| {
                    let (sender, receiver) = oneshot::channel();
                    outcome.pipe(&mut access, Deliver(Some(sender)))?;
                    let (consumer, wanted) = bytewise();
                    data.pipe(&mut access, consumer)?;
                    Ok(Ok((wanted, receiver)))
                }),
                Err(error) => Ok(Err(error)),
            }
        });
        let applied = applied.await.map_err(|error| error.with_key(&key))?;
        let (wanted, outcome) = applied.map_err(|error| convert::error(error, "transform").with_key(&key))?;
        let instance = self.instance.clone();
        Ok(HostOutput { instance, key, wanted: Some(wanted), outcome: Some(outcome), progress })
    }
}

// === impl HostOutput ===

impl HostOutput {
    /// Waits for what the guest is to do. It's lost if it neither does it nor takes anything within
    /// `limits.idle_timeout` while it's its turn.
    async fn wait<T>(
        instance: &Instance,
        progress: &Progress,
        key: &Key,
        what: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let idle = instance.limits().idle_timeout;
        let mut what = std::pin::pin!(what);
        loop {
            let before = progress.steps();
            match timeout(idle, &mut what).await {
                Ok(done) => return Ok(done),
                Err(_) if before.is_some() && before == progress.steps() => {
                    return Err(instance.end("transform", idle).with_key(key));
                }
                Err(_) => {}
            }
        }
    }

    /// The guest's last word.
    async fn end(&mut self) -> Result<(), Error> {
        self.wanted = None;
        let Some(outcome) = self.outcome.take() else { return Ok(()) };
        let outcome = Self::wait(&self.instance, &self.progress, &self.key, outcome).await?;
        let ended = match outcome {
            Ok(result) => result.map_err(|error| convert::error(error, "transform")),
            Err(_) => Err(self.instance.verdict("transform")),
        };
        ended.map_err(|error| error.with_key(&self.key))
    }
}

impl Output for HostOutput {
    async fn offered(&mut self) -> Result<(), Error> {
        let Some(wanted) = &mut self.wanted else { return Ok(()) };
        Self::wait(&self.instance, &self.progress, &self.key, wanted.offered()).await
    }
}

impl Data for HostOutput {
    async fn read(&mut self, max: usize, _: Form) -> Result<Option<Chunk>, Error> {
        let Some(wanted) = &mut self.wanted else { return Ok(None) };
        let next = Self::wait(&self.instance, &self.progress, &self.key, wanted.next(max)).await?;
        match next {
            Some(bytes) => Ok(Some(Chunk::Bytes(bytes))),
            None => self.end().await.map(|()| None),
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        match self.read(1, Form::Bytes).await? {
            None => Ok(()),
            Some(_) => {
                Err(Error::new(Code::CHANGED, "transform", "there are more bytes than announced").with_key(&self.key))
            }
        }
    }
}
