//! Source -> tunnel -> sink. Knows neither wasmtime nor TOML; everything outside comes in through
//! the traits in [`source`] and [`sink`], and time through tokio's clock, which tests pause.

// In the order in which the data flows.
pub mod body;
pub mod error;
pub mod object;
pub mod rules;
pub mod sink;
pub mod source;
