//! OpenTelemetry traces of a run: its spans, sent to a collector from a thread of their own. A collector that's
//! slow or gone costs spans and never the run: what doesn't fit into a bounded queue is dropped and counted.
//! Sends no secret, and keys only where the user wants them.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use culvert_flow::trace::{KEY, TARGET};
use culvert_registry::digest;
use opentelemetry::{Context, KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor},
};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{args::tracing::Tracing, exit::Failure};

/// Most spans that wait for the collector: some 8 MiB.
const MAX_WAITING: usize = 8192;
/// Most spans of one request.
const MAX_TOGETHER: usize = 512;
/// How often they are sent, unless there are enough before.
const PERIOD: Duration = Duration::from_secs(1);
/// Longest that one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest that a run which is over waits for its last spans.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Where a collector takes them, below its URL.
const PATH: &str = "/v1/traces";
/// Hex digits of a key's hash: 64 bits tell a billion objects apart.
const HASH_DIGITS: usize = 16;
const SERVICE: &str = "culvert";

/// Running traces.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    ended: AtomicU64,
    sent: AtomicU64,
    /// The last request failed: told on its edges.
    is_lost: AtomicBool,
}

/// Counts what ends, and hands it on.
#[derive(Debug)]
struct Counting {
    inner: BatchSpanProcessor,
    counts: Arc<Counts>,
}

/// Takes the keys out, and says when the collector goes and comes.
#[derive(Debug)]
struct Discreet {
    inner: opentelemetry_otlp::SpanExporter,
    keys: bool,
    counts: Arc<Counts>,
}

// === impl Traces ===

impl Traces {
    /// None where nobody wants them. Connects to nothing.
    ///
    /// # Errors
    /// The collector's URL is wrong.
    pub(crate) fn start(asked: &Tracing) -> Result<Option<Self>, Failure> {
        let Some(url) = asked.trace_otlp.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let endpoint = endpoint(url).map_err(|what| {
            // It may have a password in it.
            Failure::usage(format!("the collector's URL (--trace-otlp or OTEL_EXPORTER_OTLP_ENDPOINT) {what}"))
        })?;
        culvert_registry::provide_tls();
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = exporter.with_endpoint(endpoint).with_timeout(REQUEST_TIMEOUT).build();
        let inner = exporter.map_err(|error| Failure::usage(format!("the traces can't be sent: {error}")))?;
        let counts = Arc::new(Counts::default());
        let exporter = Discreet { inner, keys: asked.trace_keys, counts: Arc::clone(&counts) };
        let config = BatchConfigBuilder::default().with_max_queue_size(MAX_WAITING);
        let config = config.with_max_export_batch_size(MAX_TOGETHER).with_scheduled_delay(PERIOD).build();
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let processor = Counting { inner, counts: Arc::clone(&counts) };
        let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let resource = match env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource,
            None => resource.with_service_name(SERVICE),
        };
        let provider = SdkTracerProvider::builder().with_resource(resource.build()).with_span_processor(processor);
        Ok(Some(Self { provider: provider.build(), counts }))
    }

    /// What takes the spans of a run, and nothing else.
    pub(crate) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        // Which thread did what is nobody's concern, and how long it slept costs a look at the clock each time.
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer(SERVICE));
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
        let layer = layer.with_tracked_inactivity(false).with_context_activation(false);
        layer.with_filter(filter_fn(|metadata| metadata.target() == TARGET))
    }

    /// Sends what is left, for a while.
    pub(crate) fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(END_TIMEOUT) {
            tracing::debug!(%error, "the last spans weren't sent in time");
        }
        let (ended, sent) = (self.counts.ended.load(Ordering::Relaxed), self.counts.sent.load(Ordering::Relaxed));
        if ended > sent {
            tracing::warn!(spans = ended, lost = ended - sent, "the collector didn't take all spans of this run");
        }
    }
}

/// Where the spans go.
fn endpoint(url: &str) -> Result<String, &'static str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or("isn't of the form http://host:4318 or https://host")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err("has no host; write one like http://127.0.0.1:4318");
    }
    if authority.contains('@') {
        return Err("has a user in it; write what the collector wants to see into OTEL_EXPORTER_OTLP_HEADERS");
    }
    if url.contains(['?', '#']) {
        return Err("has a query in it; write the collector's URL alone");
    }
    let url = url.trim_end_matches('/');
    Ok(if url.ends_with(PATH) { url.to_owned() } else { format!("{url}{PATH}") })
}

// === impl Counting ===

impl SpanProcessor for Counting {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.counts.ended.fetch_add(1, Ordering::Relaxed);
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

// === impl Discreet ===

impl Discreet {
    /// By the beginning of its hash, whoever knows a key finds its object, and nobody else learns it.
    fn hide(attribute: &mut KeyValue) {
        if attribute.key.as_str() == KEY {
            let hash = digest(attribute.value.as_str().as_bytes());
            *attribute = KeyValue::new("culvert.key_sha256", hash.hex()[..HASH_DIGITS].to_owned());
        }
    }
}

impl SpanExporter for Discreet {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        if !self.keys {
            batch.iter_mut().flat_map(|span| &mut span.attributes).for_each(Self::hide);
        }
        let count = batch.len() as u64;
        let exported = self.inner.export(batch).await;
        let was_lost = self.counts.is_lost.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Ok(()) => {
                self.counts.sent.fetch_add(count, Ordering::Relaxed);
                if was_lost {
                    tracing::warn!("the collector takes spans again");
                }
            }
            Err(error) if !was_lost => {
                tracing::warn!(%error, "the collector takes no spans; the run goes on without");
            }
            Err(_) => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collectors_url_has_no_secret_and_ends_with_the_path() {
        let taken = |url: &str| endpoint(url).ok();
        assert_eq!(taken("http://127.0.0.1:4318").as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(taken("https://c.example/otlp/").as_deref(), Some("https://c.example/otlp/v1/traces"));
        assert_eq!(taken("https://c.example/v1/traces").as_deref(), Some("https://c.example/v1/traces"));
        for wrong in [
            "127.0.0.1:4318",
            "grpc://c.example",
            "http://",
            "http:///v1",
            "https://me:secret@c.example",
            "https://c.example?key=secret",
        ] {
            assert_eq!(taken(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_are_hidden_and_nothing_else_is() {
        let mut attributes = [KeyValue::new(KEY, "a/b.txt"), KeyValue::new("culvert.size", 5)];
        attributes.iter_mut().for_each(Discreet::hide);
        // printf a/b.txt | sha256sum
        assert_eq!(attributes[0], KeyValue::new("culvert.key_sha256", HASH));
        assert_eq!(attributes[1], KeyValue::new("culvert.size", 5));
    }

    const HASH: &str = "5550000d3b1cf1ff";
}
