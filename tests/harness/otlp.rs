//! An OpenTelemetry collector that takes OTLP over HTTP and decodes it, or one that takes nothing. Its threads
//! end with the test's process.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value};
use prost::Message;

/// What a collector was told.
pub(crate) struct Collector {
    port: u16,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    spans: Vec<Span>,
    services: Vec<String>,
    /// First lines of the requests.
    requests: Vec<String>,
    /// Their bytes, one after the other.
    bytes: Vec<u8>,
}

/// A span, with ids in hex.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty: none.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) is_error: bool,
    pub(crate) nanos: (u64, u64),
    attributes: HashMap<String, String>,
}

// === impl Collector ===

impl Collector {
    pub(crate) fn start() -> Self {
        Self::answering(|heard, client| while Heard::take(&heard, &client).is_some() {})
    }

    /// Takes connections and reads nothing.
    pub(crate) fn stalled() -> Self {
        Self::answering(|_, client| {
            // Held for ever.
            std::mem::forget(client);
        })
    }

    fn answering(serve: fn(Arc<Mutex<Heard>>, TcpStream)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::default());
        let theirs = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let heard = Arc::clone(&theirs);
                thread::spawn(move || serve(heard, client));
            }
        });
        Self { port, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.heard.lock().unwrap().spans.clone()
    }

    pub(crate) fn services(&self) -> Vec<String> {
        self.heard.lock().unwrap().services.clone()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().requests.clone()
    }

    /// Whether these bytes were in one of the requests.
    pub(crate) fn heard_of(&self, text: &str) -> bool {
        self.heard.lock().unwrap().bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

// === impl Heard ===

impl Heard {
    /// One request; none once there are no more.
    fn take(heard: &Mutex<Self>, mut client: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_ascii_lowercase());
        }
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).ok()?;
        assert!(lines.contains(&"content-type: application/x-protobuf".to_owned()), "{lines:?}");
        heard.lock().unwrap().decode(lines.remove(0), body);
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n").ok()
    }

    fn decode(&mut self, request: String, body: Vec<u8>) {
        let decoded = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP in protobuf");
        for resource in decoded.resource_spans {
            let attributes = attributes(resource.resource.unwrap().attributes);
            self.services.push(attributes["service.name"].clone());
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.extend(spans.map(|span| Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                // STATUS_CODE_ERROR
                is_error: span.status.is_some_and(|status| status.code == 2),
                nanos: (span.start_time_unix_nano, span.end_time_unix_nano),
                attributes: self::attributes(span.attributes),
            }));
        }
        self.requests.push(request);
        self.bytes.extend(body);
    }
}

fn attributes(list: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>) -> HashMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    list.into_iter().map(|it| (it.key, it.value.and_then(|value| value.value).map(text).unwrap_or_default())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Span ===

impl Span {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap()
    }
}
