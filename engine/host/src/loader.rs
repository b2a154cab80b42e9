//! A component's bytes to a connector that can be opened: compiled, described, its imports held
//! against the grants. Knows nothing about what it moves.

use std::{path::Path, sync::Arc, time::Duration};

use culvert_flow::{object::Capabilities, sink::PUT_BATCH, source::READ_BATCH};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::LocalSet;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::{
    access::Access,
    bindings::{
        culvert::connector::{credentials, exchange, posix},
        exports::culvert::connector::{
            connector, copying, resuming, sink, sink_batch, source, source_batch, transform,
        },
    },
    contract,
    credentials::Identity,
    files,
    grants::Grants,
    http,
    instance::Instance,
    limits::Limits,
    open,
    posix::Posix,
    runtime::Runtime,
    sockets,
    state::State,
};

/// Largest component in bytes; a Python connector with its interpreter is some 40 MiB.
const MAX_COMPONENT_BYTES: u64 = 256 << 20;
/// Largest JSON Schema in bytes.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Longest that `describe` may take; it touches nothing.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A compiled connector. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Loaded>,
}

struct Loaded {
    engine: wasmtime::Engine,
    pre: InstancePre<State>,
    indices: Indices,
    imports: Vec<String>,
    exports: Vec<String>,
    digest: String,
    description: Description,
}

/// What a connector says of itself.
#[derive(Debug, Clone, Default)]
pub struct Description {
    pub name: String,
    pub version: String,
    /// JSON Schema of its `[source]` table; none if it can't be a source.
    pub source_schema: Option<Value>,
    /// JSON Schema of its `[sink]` table; none if it can't be a sink.
    pub sink_schema: Option<Value>,
    /// JSON Schema of its `[[transform]]` table; none if it can't be a transform.
    pub transform_schema: Option<Value>,
    pub capabilities: Capabilities,
}

/// A component can't be used as a connector.
#[derive(Debug, thiserror::Error)]
#[error("connector {name}: {reason}")]
pub struct LoadError {
    pub name: String,
    pub reason: String,
}

/// What a component exports, found once.
struct Indices {
    connector: connector::GuestIndices,
    source: Option<source::GuestIndices>,
    sink: Option<sink::GuestIndices>,
    source_batch: Option<source_batch::GuestIndices>,
    sink_batch: Option<sink_batch::GuestIndices>,
    copying: Option<copying::GuestIndices>,
    resuming: Option<resuming::GuestIndices>,
    transform: Option<transform::GuestIndices>,
}

/// The exports of one running instance.
pub(crate) struct Exports {
    pub(crate) connector: connector::Guest,
    pub(crate) source: Option<source::Guest>,
    pub(crate) sink: Option<sink::Guest>,
    pub(crate) source_batch: Option<source_batch::Guest>,
    pub(crate) sink_batch: Option<sink_batch::Guest>,
    pub(crate) copying: Option<copying::Guest>,
    pub(crate) resuming: Option<resuming::Guest>,
    pub(crate) transform: Option<transform::Guest>,
}

// === impl Connector ===

impl Connector {
    /// The bytes of a `.wasm` file.
    ///
    /// # Errors
    /// The file can't be read or is too large.
    pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
        let name = path.display().to_string();
        let failed = |reason: String| LoadError { name: name.clone(), reason };
        let size = std::fs::metadata(path).map_err(|error| failed(format!("can't read the file: {error}")))?.len();
        if size > MAX_COMPONENT_BYTES {
            return Err(failed(format!("the file has {size} bytes; at most {MAX_COMPONENT_BYTES} are taken")));
        }
        std::fs::read(path).map_err(|error| failed(format!("can't read the file: {error}")))
    }

    /// Compiles a component, or takes it from the cache, and asks what it is.
    ///
    /// # Errors
    /// The bytes aren't a component of this contract, or it fails to describe itself.
    pub fn load(runtime: &Runtime, name: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        let failed = |reason: String| LoadError { name: name.to_owned(), reason };
        let wasm = |error: wasmtime::Error| failed(format!("not a connector of this contract: {error:#}"));
        let engine = runtime.engine();
        let component = Component::new(engine, bytes).map_err(wasm)?;
        let imports: Vec<String> =
            component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> =
            component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
        let names = || imports.iter().chain(&exports).map(String::as_str);
        if let Some(refusal) = contract::refusal(names()) {
            return Err(failed(refusal));
        }
        if let Some(refusal) = Grants::everything().refusal(imports.iter().map(String::as_str)) {
            return Err(failed(refusal));
        }
        let wasm = |error: wasmtime::Error| {
            failed(format!("not a connector of this contract: {error:#}{}", contract::hint(names())))
        };
        let pre = linker(engine).map_err(wasm)?.instantiate_pre(&component).map_err(wasm)?;
        let indices = Indices {
            connector: connector::GuestIndices::new(&pre).map_err(wasm)?,
            source: source::GuestIndices::new(&pre).ok(),
            sink: sink::GuestIndices::new(&pre).ok(),
            source_batch: source_batch::GuestIndices::new(&pre).ok(),
            sink_batch: sink_batch::GuestIndices::new(&pre).ok(),
            copying: copying::GuestIndices::new(&pre).ok(),
            resuming: resuming::GuestIndices::new(&pre).ok(),
            transform: transform::GuestIndices::new(&pre).ok(),
        };
        let digest = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let engine = engine.clone();
        let mut loaded = Loaded { engine, pre, indices, imports, exports, digest, description: Description::default() };
        loaded.description = loaded.describe().map_err(failed)?;
        Ok(Self { inner: Arc::new(loaded) })
    }

    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// The interfaces that it imports.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    /// The interfaces that it exports.
    pub fn exports(&self) -> &[String] {
        &self.inner.exports
    }

    /// SHA-256 of the component, in hex.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Starts an instance on the current thread's `LocalSet`.
    pub(crate) async fn start(&self, grants: &Grants, limits: &Limits, access: &Access) -> Result<Instance, String> {
        self.inner.start(grants, limits, access).await
    }
}

// === impl Loaded ===

impl Loaded {
    async fn start(&self, grants: &Grants, limits: &Limits, access: &Access) -> Result<Instance, String> {
        if let Some(refusal) = grants.refusal(self.imports.iter().map(String::as_str)) {
            return Err(refusal);
        }
        let mut store = State::store(&self.engine, grants, limits, access).map_err(|error| match &grants.folder {
            Some(folder) => format!("can't open the folder {}: {error}", folder.path.display()),
            None => error.to_string(),
        })?;
        let trapped = |error: wasmtime::Error| format!("the connector can't be started: {}", error.root_cause());
        let instance = self.pre.instantiate_async(&mut store).await.map_err(trapped)?;
        let load = |indices: &Indices, store: &mut wasmtime::Store<State>| -> wasmtime::Result<Exports> {
            Ok(Exports {
                connector: indices.connector.load(&mut *store, &instance)?,
                source: indices.source.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
                sink: indices.sink.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
                source_batch: indices.source_batch.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
                sink_batch: indices.sink_batch.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
                copying: indices.copying.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
                resuming: indices.resuming.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
                transform: indices.transform.as_ref().map(|it| it.load(&mut *store, &instance)).transpose()?,
            })
        };
        let exports = load(&self.indices, &mut store).map_err(trapped)?;
        Ok(Instance::start(store, exports, limits.clone()))
    }

    /// Asks an instance without grants what it is, on a runtime of its own.
    fn describe(&self) -> Result<Description, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| format!("can't start a runtime: {error}"))?;
        let limits = Limits { compute_timeout: DESCRIBE_TIMEOUT, call_timeout: DESCRIBE_TIMEOUT, ..Limits::default() };
        let asked = LocalSet::new().block_on(&runtime, async {
            // Nothing is granted, so nothing that it imports leads anywhere.
            let mut store = State::store(&self.engine, &Grants::default(), &limits, &Access::default())
                .map_err(|e| e.to_string())?;
            let instance = self.pre.instantiate_async(&mut store).await.map_err(|e| e.root_cause().to_string())?;
            let connector = self.indices.connector.load(&mut store, &instance).map_err(|e| e.to_string())?;
            let transform = self.indices.transform.as_ref().map(|it| it.load(&mut store, &instance)).transpose();
            let transform = transform.map_err(|e| e.to_string())?;
            let exports = Exports {
                connector,
                source: None,
                sink: None,
                source_batch: None,
                sink_batch: None,
                copying: None,
                resuming: None,
                transform,
            };
            let instance = Instance::start(store, exports, limits.clone());
            instance
                .call("describe", async |accessor, exports| {
                    let asked = exports.connector.call_describe(accessor).await?;
                    let of_transform = match &exports.transform {
                        Some(transform) => transform.call_schema(accessor).await?,
                        None => String::new(),
                    };
                    Ok((asked, of_transform))
                })
                .await
                .map_err(|error| error.to_string())
        })?;
        self.checked(asked)
    }

    fn checked(&self, (asked, of_transform): (connector::Description, String)) -> Result<Description, String> {
        let word = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !word(&asked.name) {
            return Err("its name isn't of the form [a-z0-9-]{1,64}".to_owned());
        }
        if asked.version.is_empty() || asked.version.len() > 64 || asked.version.chars().any(char::is_control) {
            return Err("its version isn't a short printable text".to_owned());
        }
        if asked.capabilities.len() > 64 || asked.capabilities.iter().any(|capability| capability.len() > 64) {
            return Err("it has more than 64 capabilities, or one of more than 64 bytes".to_owned());
        }
        let plain = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !asked.capabilities.iter().all(plain) {
            return Err("one of its capabilities isn't a printable ASCII word".to_owned());
        }
        let source_schema = schema(&asked.source_schema, "source", self.indices.source.is_some())?;
        let sink_schema = schema(&asked.sink_schema, "sink", self.indices.sink.is_some())?;
        let transform_schema = schema(&of_transform, "transform", self.indices.transform.is_some())?;
        let capabilities = Capabilities::new(asked.capabilities);
        let batches = [
            (READ_BATCH, "source-batch", self.indices.source_batch.is_some()),
            (PUT_BATCH, "sink-batch", self.indices.sink_batch.is_some()),
        ];
        if let Some((word, interface, _)) =
            batches.iter().find(|(word, _, exported)| capabilities.has(word) != *exported)
        {
            return Err(format!("it has the capability {word} and doesn't export {interface}, or the other way round"));
        }
        let connector::Description { name, version, .. } = asked;
        Ok(Description { name, version, source_schema, sink_schema, transform_schema, capabilities })
    }
}

/// A schema as the connector gave it; it must have one for what it exports and none otherwise.
fn schema(text: &str, role: &str, exported: bool) -> Result<Option<Value>, String> {
    if text.is_empty() == exported {
        return Err(format!("it exports the interface {role} and gives no {role}-schema, or the other way round"));
    }
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(format!("its {role}-schema has more than {MAX_SCHEMA_BYTES} bytes"));
    }
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err(format!("its {role}-schema isn't a JSON object")),
        Err(error) => Err(format!("its {role}-schema isn't JSON: {error}")),
    }
}

/// WASI 0.2 for the guests' standard libraries, 0.3 for the contract, and the host's own functions.
/// Sockets and HTTP lead where the grants say.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    linker.allow_shadowing(true);
    files::replace_streams(&mut linker)?;
    open::replace_open(&mut linker)?;
    sockets::replace_sockets(&mut linker)?;
    http::replace_bodies(&mut linker)?;
    linker.allow_shadowing(false);
    posix::add_to_linker::<State, Posix>(&mut linker, |state| state)?;
    exchange::add_to_linker::<State, http::Exchange>(&mut linker, |state| state)?;
    credentials::add_to_linker::<State, Identity>(&mut linker, |state| state)?;
    Ok(linker)
}
