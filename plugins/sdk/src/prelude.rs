//! What nearly every connector names: `use culvert_sdk::prelude::*;`. Nothing that isn't elsewhere.

pub use crate::{
    Entries, Sink, Source, StreamReader, Whole,
    error::{self, filesystem, quote},
    sink::Replace,
    source::Reading,
    types::{Entry, Error, Object, Range, Unreadable},
};
