//! Source -> tunnel -> sink. Knows neither wasmtime nor TOML; everything outside comes in through
//! the traits in [`source`] and [`sink`], and time through tokio's clock, which tests pause.
//! The way in is [`run::run`].

// In the order in which the data flows.
pub mod error;
pub mod object;
pub mod rules;
pub mod sync;

pub mod source;
mod listing;
mod select;
pub mod compare;
pub mod tunnel;
pub mod hash;
pub mod body;
mod pump;
pub mod sink;
mod transfer;
mod retry;
pub mod meter;
pub mod run;

#[cfg(test)]
mod memory;
