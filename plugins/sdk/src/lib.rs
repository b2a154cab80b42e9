//! What a Rust author of a Culvert connector uses: the contract's types and traits, typed
//! configuration, errors, streams with their outcome. Knows no store and reaches nothing by itself.
//!
//! A connector is a `cdylib` for `wasm32-wasip2` that implements [`Source`], [`Sink`] or both and names
//! them to [`export!`]; or, where it needs more of the contract, [`connector::Guest`] and one or both of
//! [`source::Guest`] and [`sink::Guest`] for one type, named to one of [`export_source!`],
//! [`export_sink!`] and [`export_storage!`]. The component then exports what was named, no more.

// In the order in which an author meets them.
#[doc(hidden)]
pub mod bindings;
pub mod bucket;
pub mod config;
pub mod error;
pub mod folder;
pub mod http;
pub mod instance;
pub mod key;
pub mod prelude;
pub mod simple;
pub mod socket;
pub mod stream;
pub mod temporary;
pub mod time;
pub mod transform;
pub mod xml;

pub use bindings::{
    connector::exports::culvert::connector::connector,
    copying::exports::culvert::connector::copying,
    imports::{
        culvert::connector::{credentials, posix, tls, types},
        wasi,
    },
    resuming::exports::culvert::connector::resuming,
    sink::exports::culvert::connector::sink,
    sink_batch::exports::culvert::connector::sink_batch,
    source::exports::culvert::connector::source,
    source_batch::exports::culvert::connector::source_batch,
};
pub use simple::{Sink, Source, Whole};
pub use stream::Entries;
pub use wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter, spawn_local};

/// Exports a connector that is only read: `culvert_sdk::export_source!(Type);`, `Type` being where
/// both traits are implemented. `plugins/README.md` has a whole one.
#[macro_export]
macro_rules! export_source {
    ($connector:ident) => {
        $crate::bindings::connector::export!($connector with_types_in $crate::bindings::connector);
        $crate::bindings::source::export!($connector with_types_in $crate::bindings::source);
    };
}

/// Exports a connector that is only written. Called like [`export_source!`].
#[macro_export]
macro_rules! export_sink {
    ($connector:ident) => {
        $crate::bindings::connector::export!($connector with_types_in $crate::bindings::connector);
        $crate::bindings::sink::export!($connector with_types_in $crate::bindings::sink);
    };
}

/// Exports a connector that is read and written. Called like [`export_source!`].
#[macro_export]
macro_rules! export_storage {
    ($connector:ident) => {
        $crate::bindings::connector::export!($connector with_types_in $crate::bindings::connector);
        $crate::bindings::source::export!($connector with_types_in $crate::bindings::source);
        $crate::bindings::sink::export!($connector with_types_in $crate::bindings::sink);
    };
}

/// Exports a connector that transforms: `culvert_sdk::export_transform!(Type);`, `Type` implementing
/// [`transform::Guest`] and [`connector::Guest`], of which only `describe` is called.
#[macro_export]
macro_rules! export_transform {
    ($connector:ident) => {
        $crate::bindings::connector::export!($connector with_types_in $crate::bindings::connector);
        $crate::bindings::transform::export!($connector with_types_in $crate::bindings::transform);
    };
}

/// Exports small objects by the batch, beside [`export_storage!`], for one type that implements
/// [`source_batch::Guest`] and [`sink_batch::Guest`] too: `culvert_sdk::export_batches!(Type);`. Such a
/// connector has the capabilities `read-batch` and `put-batch`.
#[macro_export]
macro_rules! export_batches {
    ($connector:ident) => {
        $crate::bindings::source_batch::export!($connector with_types_in $crate::bindings::source_batch);
        $crate::bindings::sink_batch::export!($connector with_types_in $crate::bindings::sink_batch);
    };
}

/// Exports what a sink may have besides: [`copying`] and [`resuming`], both of which are implemented
/// for the type. Goes with [`export_sink!`] or [`export_storage!`].
#[macro_export]
macro_rules! export_copying_and_resuming {
    ($connector:ident) => {
        $crate::bindings::copying::export!($connector with_types_in $crate::bindings::copying);
        $crate::bindings::resuming::export!($connector with_types_in $crate::bindings::resuming);
    };
}

/// Compiles the connector in the authoring guide.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Guide;
