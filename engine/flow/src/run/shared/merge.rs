//! What the agents of a run told, written into the journal of the one that ends it: each object once, by the
//! word that says most. Judges nothing else.

use std::collections::HashMap;

use super::page::Results;
use crate::{
    error::Error,
    journal::told::Told,
    object::Key,
    run::{State, Summary, book::Book},
};

/// Figures that no object has.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) retries: u64,
    pub(super) repaired: u64,
    /// A page was worked on by two agents: something may be left at the sink.
    pub(super) again: bool,
}

/// Writes down what's new in what was told.
pub(super) fn merge(book: &Book, told: Vec<Results>, figures: &mut Figures) -> Result<(), Error> {
    let mut best = HashMap::<Key, Told>::new();
    let mut nameless = Vec::new();
    for results in told {
        figures.retries += results.retries;
        figures.repaired += results.repaired;
        figures.again |= results.again;
        for told in results.told {
            match told.key() {
                None => nameless.push(told),
                Some(key) => {
                    let known = best.get(&key).map_or(0, Told::rank);
                    if told.rank() > known {
                        best.insert(key, told);
                    }
                }
            }
        }
    }
    // Of what isn't on disk nothing can be looked up.
    book.flush()?;
    let (keys, told): (Vec<Key>, Vec<Told>) = best.into_iter().unzip();
    let ranks = book.ranks(&keys)?;
    let news = told.into_iter().zip(ranks).filter(|(told, rank)| told.rank() > *rank).map(|(told, _)| told);
    news.chain(nameless).try_for_each(|told| book.merge(told.into_entry()?))
}

/// What all have done, object by object.
pub(super) fn totals(book: &Book, figures: &Figures, state: State) -> Result<Summary, Error> {
    book.flush()?;
    let mut totals = book.totals(state)?;
    (totals.retries, totals.repaired) = (figures.retries, figures.repaired);
    Ok(totals)
}
