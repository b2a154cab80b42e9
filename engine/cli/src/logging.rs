//! Log lines on standard error, as text or JSON. Logs nothing itself.

use culvert_flow::trace::TARGET;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    args::{LogFormat, Logging},
    traces::Traces,
};

/// Starts logging for the whole process. A filter that can't be read becomes `warn`, with a word.
pub(crate) fn start(arguments: &Logging, traces: Option<&Traces>) {
    let (filter, refused) = match EnvFilter::try_new(&arguments.log_level) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("warn"), Some(error)),
    };
    // What is traced is no part of a log line.
    let not_traced = filter_fn(|metadata| metadata.target() != TARGET).with_max_level_hint(LevelFilter::TRACE);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match arguments.log_format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let lines = lines.with_filter(filter.and(not_traced));
    let registry = tracing_subscriber::registry().with(lines);
    // A layer that is none would tell everybody that nothing is listened to.
    match traces {
        Some(traces) => registry.with(traces.layer()).init(),
        None => registry.init(),
    }
    if let Some(error) = refused {
        tracing::warn!(level = arguments.log_level, %error, "unknown log level, using warn");
    }
}
