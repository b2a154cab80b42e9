//! Log lines on standard error, as text or JSON. Logs nothing itself.

use tracing_subscriber::EnvFilter;

use crate::args::{LogFormat, Logging};

/// Starts logging for the whole process. A filter that can't be read becomes `warn`, with a word.
pub(crate) fn start(arguments: &Logging) {
    let (filter, refused) = match EnvFilter::try_new(&arguments.log_level) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("warn"), Some(error)),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(error) = refused {
        tracing::warn!(level = arguments.log_level, %error, "unknown log level, using warn");
    }
}
