//! The cases, one file for each theme. What applies is decided by `suite`, from what a case needs.

mod batches;
mod denied;
mod describe;
mod giving_up;
mod keys;
mod kinds;
mod listing;
mod putting;
mod reading;
mod replacing;
mod sweeping;
mod uploads;

use crate::{case::Case, subject::Subject};

/// A theme's name and its cases, in the order in which they run.
pub(crate) fn all<S: Subject>() -> Vec<(&'static str, Vec<Case<S>>)> {
    vec![
        ("describe", describe::cases()),
        ("listing", listing::cases()),
        ("reading", reading::cases()),
        ("putting", putting::cases()),
        ("replacing", replacing::cases()),
        ("uploads", uploads::cases()),
        ("sweeping", sweeping::cases()),
        ("keys", keys::cases()),
        ("kinds", kinds::cases()),
        ("batches", batches::cases()),
        ("giving-up", giving_up::cases()),
        ("denied", denied::cases()),
    ]
}

/// A case from its function.
macro_rules! case {
    ($name:literal, $about:literal, [$($need:expr),*], $function:path) => {
        $crate::case::Case { name: $name, about: $about, needs: &[$($need),*], run: |bench| Box::pin($function(bench)) }
    };
}

use case;
