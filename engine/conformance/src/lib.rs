//! What a connector promises by its role and its capabilities, as cases that run against its store.
//! Knows the traits of `flow` and no WebAssembly; works below a random folder of its own, and touches
//! nothing else that the store has.
//!
//! The way in is [`run`]; who tests implements [`Subject`].

mod case;
mod subject;

mod bench;

mod cases;

mod report;

mod suite;

mod measure;

pub use case::{Case, Need};
pub use measure::{Gauge, Sizes, Took, measure};
pub use report::{
    Ended, Report, Verdict,
    json::to_json,
    junit::to_junit,
    table::{counts, line, to_table},
};
pub use subject::{Description, Owner, Subject};
pub use suite::{names, run};
