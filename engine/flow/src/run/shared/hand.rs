//! The pages that this agent has in hand, and what has become of their objects so far. Moves nothing and
//! tells nobody.

use std::{collections::BTreeMap, sync::Mutex};

use tokio::sync::Notify;

use super::page::{MAX_OBJECTS, Pages, Results};
use crate::{journal::told::Told, object::Key, sync::lock};

/// Objects in hand with which another page is taken: there's always one to go on with, and few are lost with an
/// agent that dies.
const ENOUGH: usize = MAX_OBJECTS;

#[derive(Debug, Default)]
pub(in crate::run) struct Hand {
    state: Mutex<State>,
    /// A page is done, or nothing more will come.
    done: Notify,
    /// There's room for another page.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    keys: Pages,
    open: BTreeMap<u64, Open>,
    done: Vec<Results>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Open {
    left: usize,
    results: Results,
}

// === impl Hand ===

impl Hand {
    /// Takes a page; false if it's in hand already. None of its objects is in hand before they are added.
    pub(super) fn take(&self, page: u64, again: bool, settled: Vec<Told>) -> bool {
        let mut state = lock(&self.state);
        if state.open.contains_key(&page) || state.done.iter().any(|results| results.page == page) {
            return false;
        }
        let results = Results { page, again, told: settled, ..Results::default() };
        // One more, until all have been added.
        state.open.insert(page, Open { left: 1, results });
        true
    }

    /// Adds an object of a page; false if it's in hand from another page, and counts for both.
    pub(super) fn add(&self, page: u64, key: &Key) -> bool {
        let mut state = lock(&self.state);
        if let Some(open) = state.open.get_mut(&page) {
            open.left += 1;
        }
        let pages = state.keys.entry(key.clone()).or_default();
        pages.push(page);
        pages.len() == 1
    }

    /// All objects of a page have been added.
    pub(super) fn added(&self, page: u64) {
        self.finish(&mut lock(&self.state), page, None);
    }

    /// What became of an object. Of one that isn't in hand nothing is kept.
    pub(in crate::run) fn settle(&self, key: &str, told: impl Fn() -> Told) {
        let mut state = lock(&self.state);
        let pages = Key::parse(key).ok().and_then(|key| state.keys.remove(&key));
        for page in pages.unwrap_or_default() {
            self.finish(&mut state, page, Some(told()));
        }
    }

    fn finish(&self, state: &mut State, page: u64, told: Option<Told>) {
        let Some(open) = state.open.get_mut(&page) else { return };
        open.results.told.extend(told);
        open.left -= 1;
        if open.left == 0
            && let Some(open) = state.open.remove(&page)
        {
            state.done.push(open.results);
            self.done.notify_one();
        }
        if state.keys.len() < ENOUGH {
            self.room.notify_one();
        }
    }

    /// Waits until another page may be taken.
    pub(super) async fn room(&self) {
        while lock(&self.state).keys.len() >= ENOUGH {
            self.room.notified().await;
        }
    }

    /// The next page that's done; none once nothing more will come.
    pub(super) async fn next_done(&self) -> Option<Results> {
        loop {
            {
                let mut state = lock(&self.state);
                if let Some(results) = state.done.pop() {
                    return Some(results);
                }
                if state.closed && state.open.is_empty() {
                    return None;
                }
            }
            self.done.notified().await;
        }
    }

    /// Nothing more will be taken.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.done.notify_one();
    }

    /// What isn't done, once nobody works on it any more.
    pub(super) fn give_back(&self) -> Vec<Results> {
        let mut state = lock(&self.state);
        let State { open, done, .. } = std::mem::take(&mut *state);
        done.into_iter().chain(open.into_values().map(|open| open.results)).collect()
    }

    #[cfg(test)]
    pub(super) fn pages(&self) -> BTreeMap<u64, usize> {
        lock(&self.state).open.iter().map(|(page, open)| (*page, open.left)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Code,
        memory::{error, key},
    };

    fn failed() -> Told {
        Told::failed("a", &error(Code::PERMISSION_DENIED), 1)
    }

    #[test]
    fn a_page_is_done_when_all_of_it_is() {
        let hand = Hand::default();
        assert!(hand.take(7, false, vec![failed()]) && !hand.take(7, true, Vec::new()));
        assert!(hand.add(7, &key("a")) && hand.add(7, &key("b")));
        hand.added(7);
        assert!(hand.take(8, true, Vec::new()));
        assert!(!hand.add(8, &key("b")), "it's in hand from page 7");
        hand.added(8);
        hand.settle("b", failed);
        hand.settle("unknown", failed);
        hand.settle("b", failed);
        assert_eq!(hand.pages(), BTreeMap::from([(7, 1)]));
        hand.settle("a", failed);
        hand.close();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let done: Vec<_> = std::iter::from_fn(|| runtime.block_on(hand.next_done())).collect();
        let mut done: Vec<_> = done.iter().map(|results| (results.page, results.told.len(), results.again)).collect();
        done.sort_unstable();
        assert_eq!(done, [(7, 3, false), (8, 1, true)]);
    }

    #[test]
    fn what_is_not_done_is_given_back_with_what_is_known_of_it() {
        let hand = Hand::default();
        hand.take(1, false, Vec::new());
        hand.add(1, &key("a"));
        hand.add(1, &key("b"));
        hand.added(1);
        hand.settle("a", failed);
        let back = hand.give_back();
        assert_eq!((back.len(), back[0].told.len()), (1, 1));
    }
}
