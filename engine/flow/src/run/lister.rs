//! Fills the queue with what is to be looked at: lists, selects, passes over what the journal knows to
//! be done, and reports what can't be moved. Never asks the sink for an object; it may list it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use super::{
    Context, Event, NextAttempt,
    book::Book,
    content_bytes,
    queue::Listed,
    shared::{Draft, Folders, Shared, patiently},
    view::View,
};
use crate::{
    compare::SkipReason,
    error::{Code, Error},
    journal::{Lookup, told::Told},
    listing::{Folder, Found, Interruption, Walk},
    object::{Key, Kind, Object},
    retry::{Jitter, Retry},
    rules::Overwrite,
    select::refusal,
    sink::OpenSink,
    source::{OpenSource, Source},
};

/// Most objects that are handed over together: a lock and a wake-up are then a small part of each.
const MAX_BATCH: usize = 64;

type WalkOf<So> = Walk<<<So as OpenSource>::Source as Source>::Listing>;

pub(super) struct Lister<So: OpenSource, Si: OpenSink> {
    context: Arc<Context>,
    sources: Arc<So>,
    sinks: Arc<Si>,
    view: View<Si>,
    jitter: Jitter,
    batch: Vec<Listed>,
    /// The first batch is one object, each further one up to twice as many: the first workers
    /// don't wait.
    batch_size: usize,
    /// Of the journal, if there is one.
    lookup: Option<Lookup>,
    /// Where others move what is listed here; none: it's queued.
    pages: Option<Pages>,
}

/// What is listed for several agents.
struct Pages {
    shared: Arc<Shared>,
    draft: Draft,
    /// None where the sink has no directories.
    folders: Option<Arc<Folders>>,
    /// Why no more is listed.
    broken: Option<Error>,
}

// === impl Lister ===

impl<So: OpenSource, Si: OpenSink> Lister<So, Si> {
    pub(super) fn new(context: Arc<Context>, sources: Arc<So>, sinks: Arc<Si>) -> Self {
        let jitter = context.jitter(usize::MAX);
        let view = View::new(&*sinks);
        Self { context, sources, sinks, view, jitter, batch: Vec::new(), batch_size: 1, lookup: None, pages: None }
    }

    /// Lists for several agents: into pages instead of into the queue.
    pub(super) async fn into_pages(
        mut self,
        shared: Arc<Shared>,
        draft: Draft,
        folders: Option<Arc<Folders>>,
    ) -> Result<(), Error> {
        self.pages = Some(Pages { shared, draft, folders, broken: None });
        self.list().await;
        self.pages.and_then(|pages| pages.broken).map_or(Ok(()), Err)
    }

    pub(super) async fn run(mut self) {
        let stop = self.context.terms.stop.clone();
        // A listing that's dropped half-way harms nobody: this instance does nothing else.
        if stop.or(self.list()).await.is_ok() {
            self.context.listing_is_done();
        }
    }

    async fn list(&mut self) {
        let Some(mut source) = self.open().await else { return };
        let puts_directories = self.context.terms.sink.has("directories") && self.context.tallies.is_none();
        let folders = self.pages.as_ref().and_then(|pages| pages.folders.clone());
        // Whether they're put or not, a journal is told which folders are done, unless several agents do them.
        let takes =
            if self.pages.is_some() { folders.is_some() } else { puts_directories || self.context.book.is_some() };
        let take_due = takes.then(|| -> crate::listing::TakeDue {
            let queue = Arc::clone(&self.context.queue);
            match folders {
                Some(folders) => Arc::new(move |due| {
                    if due.mark.kept {
                        folders.add(due.object);
                    }
                }),
                None => Arc::new(move |due| queue.push_due(due)),
            }
        });
        let ordered = self.context.source.has("ordered-listing");
        let Some(after) = self.open_book(ordered && self.pages.is_none()) else { return };
        let after = self.pages.as_ref().map_or(after, |pages| pages.draft.after());
        let passes = self.context.book.as_ref().filter(|_| self.pages.is_none()).and_then(Book::passes);
        let mut walk: WalkOf<So> = Walk::new(ordered, after, take_due).passing_over(passes);
        let mut retry = Retry::new(self.context.policy, 0);
        loop {
            match self.next(&mut walk, &mut source).await {
                Ok(Some(found)) => {
                    if !walk.is_flat() {
                        self.context.note(Book::forget_position);
                        if let Some(pages) = &mut self.pages {
                            pages.draft.forget_position();
                        }
                    }
                    self.take(found).await;
                    if self.pages.as_ref().is_some_and(|pages| pages.broken.is_some()) {
                        return;
                    }
                    if retry.attempt() > 1 {
                        retry = Retry::new(self.context.policy, 0);
                    }
                }
                Ok(None) => break,
                Err(interruption) => {
                    if interruption.error.instance_lost {
                        walk.lose_listings();
                        match self.open().await {
                            Some(reopened) => source = reopened,
                            None => break,
                        }
                    }
                    if !self.try_again(&interruption, &mut retry).await {
                        self.context.note(Book::forget_position);
                        self.give_up(interruption);
                        walk.abandon();
                        retry = Retry::new(self.context.policy, 0);
                    }
                }
            }
        }
        self.flush().await;
        self.offer().await;
    }

    /// Where the listing begins, in the outer option's none case nowhere: the journal can't be read,
    /// which ends the run.
    fn open_book(&mut self, ordered: bool) -> Option<Option<Key>> {
        let Some(book) = &self.context.book else { return Some(None) };
        match book.lookup() {
            Ok(lookup) => {
                self.lookup = Some(lookup);
                Some(book.begin_listing(ordered))
            }
            Err(error) => {
                self.context.stop_for(error);
                None
            }
        }
    }

    /// An instance; none if there can't be one, which ends the run.
    async fn open(&mut self) -> Option<So::Source> {
        let mut retry = Retry::new(self.context.policy, 0);
        loop {
            let error = match self.sources.open_source().await {
                Ok(source) => return Some(source),
                Err(error) => error,
            };
            let failed = retry.attempt();
            match retry.after(&error, &mut self.jitter) {
                Some(pause) => {
                    self.context.pause(None, None, error, NextAttempt { failed, pause }).await;
                }
                None => {
                    self.context.stop_for(error);
                    return None;
                }
            }
        }
    }

    /// The next thing found. While the source makes us wait, the workers get what there is.
    async fn next(&mut self, walk: &mut WalkOf<So>, source: &mut So::Source) -> Result<Option<Found>, Interruption> {
        let mut next = pin!(walk.next(source));
        // A page is offered when it's full.
        if !self.batch.is_empty() && self.pages.is_none() {
            let ready = poll_fn(|context| {
                Poll::Ready(match next.as_mut().poll(context) {
                    Poll::Ready(found) => Some(found),
                    Poll::Pending => None,
                })
            });
            if let Some(found) = ready.await {
                return found;
            }
            self.flush().await;
        }
        next.await
    }

    async fn try_again(&mut self, interruption: &Interruption, retry: &mut Retry) -> bool {
        if !interruption.resumable {
            return false;
        }
        if interruption.error.code == Code::CROWDED {
            self.context.crew.ask_for_room();
        }
        let failed = retry.attempt();
        let Some(pause) = retry.after(&interruption.error, &mut self.jitter) else { return false };
        self.flush().await;
        let (folder, error) = (interruption.folder.clone(), interruption.error.clone());
        self.context.pause(folder, None, error, NextAttempt { failed, pause }).await
    }

    /// A folder below the root that can't be entered, or that's gone, is a failure of its own;
    /// anything else leaves unknown what there is.
    fn give_up(&mut self, interruption: Interruption) {
        let Interruption { folder, error, at_start, .. } = interruption;
        let own_failure = at_start && [Code::PERMISSION_DENIED, Code::NOT_FOUND].contains(&error.code);
        match folder {
            Some(folder) if own_failure => self.unreadable(folder.as_str().to_owned(), error),
            folder => {
                self.context.tell(Event::ListingFailed { folder, error: error.clone() });
                self.context.fail_run(error);
            }
        }
    }

    async fn take(&mut self, found: Found) {
        let (object, folder) = match found {
            Found::Unreadable { name, error } => return self.unreadable(name, error),
            Found::Object { object, folder } | Found::EmptyFolder { object, folder } => (object, folder),
        };
        if let Some(pages) = &self.pages
            && pages.draft.is_closed_to(&object.key)
        {
            self.flush().await;
            self.offer().await;
        }
        match &mut self.pages {
            Some(pages) => pages.draft.listed(&object.key),
            None => self.context.meter.listed.add(1),
        }
        if let Some(book) = &self.context.book {
            book.listed(&object.key);
        }
        match self.obstacle(&object) {
            Some(reason) => {
                self.settle(object.key.as_str(), Told::skipped(&object, &reason));
                self.context.skipped(&object, reason);
                if let Some(folder) = folder {
                    folder.settle();
                }
            }
            None => match self.context.recast.of(object) {
                Ok(object) => self.send(object, folder).await,
                Err(error) => {
                    let name = error.key.as_ref().map_or_else(String::new, |key| key.as_str().to_owned());
                    self.unreadable(name, error);
                    if let Some(folder) = folder {
                        folder.settle();
                    }
                }
            },
        }
    }

    /// Why an object isn't even looked at.
    fn obstacle(&self, object: &Object) -> Option<SkipReason> {
        let sink = &self.context.terms.sink;
        let held = match &object.kind {
            Kind::Other(kind) => return Some(SkipReason::UnknownKind(kind.clone())),
            Kind::File => true,
            Kind::Directory => sink.has("directories"),
            Kind::Symlink => sink.has("symlinks"),
        };
        // What isn't selected is nobody's concern, whether the sink could hold it or not.
        let refused = refusal(object, &self.context.selection);
        refused.or_else(|| (!held).then(|| SkipReason::SinkCannotHold(object.kind.clone())))
    }

    async fn send(&mut self, object: Object, folder: Option<Arc<Folder>>) {
        if let Some(folder) = &folder {
            folder.keep();
        }
        match &mut self.pages {
            Some(pages) => pages.draft.add(&object),
            None => self.context.meter.bytes_expected.add(content_bytes(&object)),
        }
        self.batch.push(Listed { object, folder, attempts: 0, absent: false, mismatched: false });
        if let Some(pages) = &self.pages {
            if pages.draft.is_full() {
                self.flush().await;
                self.offer().await;
            }
        } else if self.batch.len() >= self.batch_size {
            self.flush().await;
            self.batch_size = (self.batch_size * 2).min(MAX_BATCH);
        }
    }

    /// Keeps what was settled here for the other agents.
    fn settle(&mut self, name: &str, told: Told) {
        if let Some(pages) = &mut self.pages {
            self.context.meter.listed.add(1);
            pages.draft.settle(told, name);
        }
    }

    /// Offers the page that's being filled to all agents.
    async fn offer(&mut self) {
        let Some(pages) = &mut self.pages else { return };
        let (page, span) = match pages.draft.take(&mut self.batch) {
            Ok(Some(page)) => page,
            Ok(None) => return,
            Err(error) => return pages.broken = Some(error),
        };
        let share = &pages.shared.share;
        if let Some(Err(error)) = patiently(&self.context, || share.offer(page.clone(), &span)).await {
            pages.broken = Some(error);
        }
    }

    async fn flush(&mut self) {
        self.pass_over_done();
        // Where everything is overwritten, nobody asks what is there.
        if self.context.transfer.overwrite != Overwrite::Always || self.context.tallies.is_some() {
            self.view.mark(&self.sinks, &mut self.batch).await;
        }
        if self.pages.is_none() {
            self.context.queue.push(&mut self.batch).await;
        }
    }

    /// Takes out of the batch what an earlier run has done.
    fn pass_over_done(&mut self) {
        let (Some(book), Some(lookup)) = (&self.context.book, &self.lookup) else { return };
        if self.batch.is_empty() {
            return;
        }
        match book.take_done(lookup, &mut self.batch) {
            Ok(done) => {
                for (listed, reason) in done {
                    match &mut self.pages {
                        Some(pages) => {
                            self.context.meter.listed.add(1);
                            pages.draft.settle(Told::skipped(&listed.object, &reason), listed.object.key.as_str());
                        }
                        None => self.context.expect_instead(&listed.object, 0),
                    }
                    self.context.tell_skipped(&listed.object, reason);
                    if let Some(folder) = listed.folder {
                        folder.settle();
                    }
                }
            }
            Err(error) => self.context.stop_for(error),
        }
    }

    fn unreadable(&mut self, name: String, error: Error) {
        if self.pages.is_none() {
            self.context.meter.listed.add(1);
        }
        self.settle(&name, Told::failed(&name, &error, 1));
        self.context.failed(name, error, 1);
    }
}
