//! What a run has done since its process began, for Prometheus: figures of all its rounds, in the text
//! format 0.0.4. Counts nothing that nobody else counts, but for errors by their code. Knows no network.

mod server;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use culvert_flow::{meter::Meter, run::Event, tunnel::Tunnel};

pub(crate) use self::server::serve;

/// Codes come from connectors too, and each is a series that's kept for ever: more than the contract
/// and a talkative store have; the rest are counted together.
const MAX_CODES: usize = 64;
/// What the rest are counted as.
const OTHER: &str = "other";

/// Of one process.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// What each line has in its braces.
    labels: String,
    tunnel: Tunnel,
    /// Requests that were given back were counted for a moment: what is shown never falls.
    requests: AtomicU64,
    rounds: Mutex<Rounds>,
    /// By what came of it and its code.
    errors: Mutex<BTreeMap<(&'static str, String), u64>>,
}

#[derive(Debug, Default)]
struct Rounds {
    /// Of the rounds that are over.
    past: Figures,
    now: Option<Arc<Meter>>,
    /// Rounds begun.
    count: u64,
}

/// In the order of [`COUNTERS`].
type Figures = [u64; COUNTERS.len()];

/// Whose figures these are.
#[derive(Debug)]
pub(crate) struct Labels<'a> {
    pub(crate) pipeline: &'a str,
    /// Empty: its own.
    pub(crate) tunnel: &'a str,
    /// Empty: none.
    pub(crate) agent: &'a str,
    /// The connector.
    pub(crate) source: &'a str,
    /// The connector.
    pub(crate) sink: &'a str,
}

struct Counter {
    name: &'static str,
    /// Beside the labels of all.
    label: &'static str,
    help: &'static str,
    get: fn(&Meter) -> u64,
}

const OBJECTS: &str = "culvert_objects_total";
const OBJECTS_HELP: &str = "Objects done with, by what came of them.";

/// Those of one name stand together.
const COUNTERS: [Counter; 11] = [
    Counter {
        name: "culvert_objects_listed_total",
        label: "",
        help: "Objects found at the source.",
        get: |meter| meter.listed.get(),
    },
    Counter { name: OBJECTS, label: "outcome=\"moved\"", help: OBJECTS_HELP, get: |meter| meter.moved.get() },
    Counter { name: OBJECTS, label: "outcome=\"skipped\"", help: OBJECTS_HELP, get: |meter| meter.skipped.get() },
    Counter { name: OBJECTS, label: "outcome=\"failed\"", help: OBJECTS_HELP, get: |meter| meter.failed.get() },
    Counter {
        name: "culvert_objects_deleted_total",
        label: "",
        help: "Objects deleted from the sink because the source doesn't have them.",
        get: |meter| meter.deleted.get(),
    },
    Counter {
        name: "culvert_objects_repaired_total",
        label: "",
        help: "Objects moved well after verification had failed.",
        get: |meter| meter.repaired.get(),
    },
    Counter {
        name: "culvert_retries_total",
        label: "",
        help: "Attempts that failed and were followed by another.",
        get: |meter| meter.retries.get(),
    },
    Counter {
        name: "culvert_bytes_total",
        label: "direction=\"to_sink\"",
        help: BYTES_HELP,
        get: |meter| meter.bytes.get(),
    },
    Counter {
        name: "culvert_bytes_total",
        label: "direction=\"read_back\"",
        help: BYTES_HELP,
        get: |meter| meter.bytes_read_back.get(),
    },
    Counter {
        name: "culvert_object_bytes_moved_total",
        label: "",
        help: "Bytes of the objects that were moved, whole and verified.",
        get: |meter| meter.bytes_moved.get(),
    },
    Counter {
        name: "culvert_bytes_expected",
        label: "",
        help: "Bytes of the objects that were selected so far: what object_bytes_moved comes to.",
        get: |meter| meter.bytes_expected.get(),
    },
];
const BYTES_HELP: &str = "Bytes of objects that were carried, failed attempts included.";

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(labels: &Labels<'_>, tunnel: Tunnel) -> Self {
        let Labels { pipeline, tunnel: name, agent, source, sink } = *labels;
        let labels = [("pipeline", pipeline), ("tunnel", name), ("agent", agent), ("source", source), ("sink", sink)];
        let labels = labels.map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).join(",");
        Self { labels, tunnel, requests: AtomicU64::new(0), rounds: Mutex::default(), errors: Mutex::default() }
    }

    /// A round, or what of it fits into its window, begins.
    pub(crate) fn begin(&self, meter: &Arc<Meter>) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.past = rounds.figures();
        rounds.now = Some(Arc::clone(meter));
        rounds.count += 1;
    }

    /// Called from the workers' threads.
    pub(crate) fn event(&self, event: &Event) {
        let (what, error) = match event {
            Event::ObjectFailed { error, .. } => ("failed", error),
            Event::Retry { error, .. } => ("retried", error),
            Event::ListingFailed { error, .. } => ("listing-failed", error),
            _ => return,
        };
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut series = (what, error.code.as_str().to_owned());
        if errors.len() >= MAX_CODES && !errors.contains_key(&series) {
            series.1 = OTHER.to_owned();
        }
        *errors.entry(series).or_default() += 1;
    }

    /// In the text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(4096);
        let (figures, in_flight, count) = {
            let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
            let in_flight = rounds.now.as_ref().map_or(0, |meter| meter.in_flight().count());
            (rounds.figures(), in_flight, rounds.count)
        };
        for (index, (counter, figure)) in COUNTERS.iter().zip(figures).enumerate() {
            if index == 0 || COUNTERS[index - 1].name != counter.name {
                // What was expected and turned out to be skipped is taken back.
                let kind = if counter.name == "culvert_bytes_expected" { "gauge" } else { "counter" };
                head(&mut text, counter.name, kind, counter.help);
            }
            self.line(&mut text, counter.name, counter.label, figure);
        }
        head(&mut text, ERRORS, "counter", "Errors, by their code and what came of them.");
        for ((what, code), number) in &*self.errors.lock().unwrap_or_else(PoisonError::into_inner) {
            self.line(&mut text, ERRORS, &format!("outcome=\"{what}\",code=\"{}\"", escaped(code)), *number);
        }
        self.tunnel_text(&mut text);
        head(&mut text, "culvert_in_flight", "gauge", "Objects, or parts of them, that are on their way.");
        self.line(&mut text, "culvert_in_flight", "", in_flight);
        head(&mut text, "culvert_rounds_total", "counter", "Rounds begun; one in several windows counts in each.");
        self.line(&mut text, "culvert_rounds_total", "", count);
        text
    }

    fn tunnel_text(&self, text: &mut String) {
        let usage = self.tunnel.usage();
        let requests = self.requests.fetch_max(usage.requests, Ordering::Relaxed).max(usage.requests);
        head(text, "culvert_tunnel_bytes_total", "counter", "Bytes that took this process's credit.");
        self.line(text, "culvert_tunnel_bytes_total", "", usage.spent_bytes);
        head(text, "culvert_tunnel_requests_total", "counter", "Requests and new connections that took credit.");
        self.line(text, "culvert_tunnel_requests_total", "", requests);
        let name = "culvert_tunnel_waited_seconds_total";
        head(text, name, "counter", "For how long the first in line has waited for credit.");
        self.line(text, name, "budget=\"bytes\"", usage.waited_for_bytes.as_secs_f64());
        self.line(text, name, "budget=\"requests\"", usage.waited_for_requests.as_secs_f64());
        head(text, "culvert_tunnel_waiting", "gauge", "Who stands in line for credit.");
        self.line(text, "culvert_tunnel_waiting", "", usage.waiting);
    }

    fn line(&self, text: &mut String, name: &str, label: &str, value: impl std::fmt::Display) {
        let comma = if label.is_empty() { "" } else { "," };
        // A String takes everything.
        let _ = writeln!(text, "{name}{{{}{comma}{label}}} {value}", self.labels);
    }
}

const ERRORS: &str = "culvert_errors_total";

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Inside of a label's quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

// === impl Rounds ===

impl Rounds {
    fn figures(&self) -> Figures {
        let mut figures = self.past;
        if let Some(meter) = &self.now {
            figures.iter_mut().zip(&COUNTERS).for_each(|(figure, counter)| *figure += (counter.get)(meter));
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use culvert_flow::{
        error::{Code, Error},
        rules::Limits,
    };

    use super::*;

    fn metrics(source: &str) -> Metrics {
        let labels = Labels { pipeline: "p", tunnel: "", agent: "", source, sink: "s3" };
        Metrics::new(&labels, Tunnel::new(Limits::default()))
    }

    #[test]
    fn a_label_cannot_leave_its_quotes() {
        let text = metrics("./a\"} 1\n\\b.wasm").text();
        let line = r#"culvert_in_flight{pipeline="p",tunnel="",agent="",source="./a\"} 1\n\\b.wasm",sink="s3"} 0"#;
        assert!(text.lines().any(|it| it == line), "{text}");
    }

    #[test]
    fn the_dashboard_asks_for_what_there_is() {
        let dashboard = include_str!("../../../pipelines/grafana.json");
        let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
        let text = metrics("local").text();
        let names = dashboard.split(|character| !is_name(character)).filter(|word| word.starts_with("culvert_"));
        let names: std::collections::BTreeSet<_> = names.collect();
        assert!(names.len() >= 10, "{names:?}");
        for name in names {
            assert!(text.contains(&format!("# TYPE {name} ")), "there is no {name} in {text}");
        }
    }

    #[test]
    fn a_connector_makes_no_end_of_series() {
        let metrics = metrics("local");
        for number in 0..10 * MAX_CODES {
            let code = Code::from_connector(&format!("code-{number}"));
            let error = Error::new(code, "open", "no");
            metrics.event(&Event::ObjectFailed { name: "a".to_owned(), error, attempts: 1 });
        }
        let text = metrics.text();
        assert_eq!(text.lines().filter(|line| line.starts_with(ERRORS)).count(), MAX_CODES + 1);
        assert!(text.contains(&format!("code=\"other\"}} {}\n", 9 * MAX_CODES)), "{text}");
    }
}
