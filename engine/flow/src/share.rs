//! What the agents of one run need of whatever they share it through: pages of the listing to be taken, results
//! to be told, one of them to list. Says nothing about how agents reach each other, nor about what is in a page.
//!
//! A page is taken by one agent, which has it until it's done with it or gives it back; that of an agent that
//! dies goes to another. So a page may be worked on twice, and two agents then find out from the sink what is
//! done. A page's results are told before it's done.

use async_trait::async_trait;

use crate::error::Error;

/// A run that several agents work on. Errors that are transient pass: what was asked for may be asked for again.
#[async_trait]
pub trait Share: Send + Sync + 'static {
    // === everybody ===

    /// The next page; waits a while for it.
    ///
    /// # Errors
    /// Nobody can be reached, or the run isn't there any more.
    async fn take(&self) -> Result<Taken, Error>;

    /// Tells what became of a page, which nobody takes any more then.
    ///
    /// # Errors
    /// Nobody can be reached.
    async fn done(&self, page: u64, results: Vec<u8>) -> Result<(), Error>;

    /// Tells what became of some of a page, which another agent takes.
    ///
    /// # Errors
    /// Nobody can be reached.
    async fn give_back(&self, page: u64, results: Vec<u8>) -> Result<(), Error>;

    // === the one that lists ===

    /// Waits until this agent is to list; none: the run is over. An agent that has been asked not to be
    /// (by [`Code::IN_USE`](crate::error::Code::IN_USE)) may ask again.
    ///
    /// # Errors
    /// Nobody can be reached.
    async fn lead(&self) -> Result<Option<Lead>, Error>;

    /// Offers a page. The first one of an agent that took over is the last one of the agent before it: where that
    /// was offered, this one isn't.
    ///
    /// # Errors
    /// `crowded` if too many wait to be taken, `in-use` if another agent lists by now.
    async fn offer(&self, page: Vec<u8>, span: &Span) -> Result<(), Error>;

    /// What an agent before this one offered last isn't offered again.
    async fn skip_last(&self);

    /// Everything has been offered.
    ///
    /// # Errors
    /// `in-use` if another agent lists by now.
    async fn listed(&self) -> Result<(), Error>;

    /// The results that were told as this one in order, from 1; none if there are no so many.
    ///
    /// # Errors
    /// Nobody can be reached.
    async fn result(&self, number: u64) -> Result<Option<Vec<u8>>, Error>;

    /// Pages that nobody is done with.
    ///
    /// # Errors
    /// Nobody can be reached.
    async fn outstanding(&self) -> Result<u64, Error>;

    /// Ends the run, and tells everybody how.
    ///
    /// # Errors
    /// `in-use` if another agent lists by now.
    async fn end(&self, ending: String) -> Result<(), Error>;
}

/// What an agent gets.
#[derive(Debug)]
pub enum Taken {
    Page {
        number: u64,
        /// Somebody else had it before, and may have done some of it.
        again: bool,
        page: Vec<u8>,
    },
    /// There's none now.
    Nothing,
    /// The run is over, and this is how.
    Over(String),
}

/// How far the listing is, for an agent that takes over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lead {
    /// Of the page that was offered last, or was about to be; none: nobody has listed.
    pub last: Option<Span>,
    /// Everything has been offered.
    pub listed: bool,
}

/// What a page covers of a flat listing whose keys ascend: from behind one key to another. Of another listing
/// nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    pub after: Option<String>,
    pub until: Option<String>,
}
