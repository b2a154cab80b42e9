//! Source -> tunnel -> sink. Knows neither wasmtime nor TOML; everything outside comes in through
//! the traits in [`source`] and [`sink`], and time through tokio's clock, which tests pause.
//! The way in is [`run::run`].

// The vocabulary, then groups in the order in which the data flows (rustfmt sorts within a group).
pub mod error;
pub mod object;
pub mod recast;
pub mod rules;
pub mod sync;

pub mod source;

pub mod compare;
mod listing;
pub mod select;

pub mod records;
pub mod trace;
pub mod tunnel;

mod pump;

pub mod hash;

pub mod transform;

pub mod body;

pub mod sink;

mod transfer;

pub mod journal;

pub mod meter;
mod retry;
pub mod run;
pub mod share;
pub mod verify;

pub mod schedule;

#[cfg(test)]
mod memory;
