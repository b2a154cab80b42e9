//! Where traces go, if anywhere. Sends none.

use std::process::Command;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct Tracing {
    /// Send OpenTelemetry traces of what moves to this collector (OTLP over HTTP, protobuf), as in http://127.0.0.1:4318
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    pub(crate) trace_otlp: Option<String>,
    /// Send objects' keys as they are; without it, the beginning of their SHA-256
    #[arg(long)]
    pub(crate) trace_keys: bool,
}

// === impl Tracing ===

impl Tracing {
    /// The same for a run in a process of its own.
    pub(crate) fn hand_over(&self, run: &mut Command) {
        if let Some(url) = &self.trace_otlp {
            run.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        }
        if self.trace_keys {
            run.arg("--trace-keys");
        }
    }
}
