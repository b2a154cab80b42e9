//! Takes pages, queues what is on them for the workers, and tells what became of them. Lists nothing.

use std::{sync::Arc, time::Duration};

use super::{
    super::{Context, book::Book, content_bytes, queue::Listed},
    Shared,
    page::{Page, Results},
    patiently,
};
use crate::{
    error::{Code, Error},
    journal::{Lookup, told::Told},
    listing::{Due, Mark},
    run::Summary,
    share::Taken,
};

/// How long giving back what's in hand may take once the run is stopped.
const GIVE_BACK: Duration = Duration::from_secs(3);

pub(in crate::run) struct Taker {
    context: Arc<Context>,
    shared: Arc<Shared>,
}

// === impl Taker ===

impl Taker {
    pub(in crate::run) fn new(context: Arc<Context>, shared: Arc<Shared>) -> Self {
        Self { context, shared }
    }

    pub(in crate::run) async fn run(self) {
        let stop = self.context.terms.stop.clone();
        // A page whose taking was given up comes to another agent by itself.
        if stop.or(async { tokio::join!(self.take(), self.tell()) }).await.is_ok() {
            return;
        }
        // The workers have nothing from the queue any more; what they end now is told too, as far as it's in time.
        self.context.queue.all_gave_back().await;
        let _ = tokio::time::timeout(GIVE_BACK, self.give_back()).await;
    }

    async fn take(&self) {
        let lookup = match self.context.book.as_ref().map(Book::lookup).transpose() {
            Ok(lookup) => lookup,
            Err(error) => return self.context.stop_for(error),
        };
        loop {
            self.shared.hand.room().await;
            let share = &self.shared.share;
            let taken = match patiently(&self.context, || share.take()).await {
                None => return,
                Some(Err(error)) => return self.context.stop_for(error),
                Some(Ok(taken)) => taken,
            };
            match taken {
                Taken::Nothing => {}
                Taken::Over(ending) => {
                    if let Some(error) = Summary::failure_of(&ending) {
                        self.context.fail_run(error);
                    }
                    self.context.listing_is_done();
                    return self.shared.hand.close();
                }
                Taken::Page { number, again, page } => {
                    let queued = match Page::parse(&page) {
                        Ok(page) => self.queue(number, again, page, lookup.as_ref()).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = queued {
                        return self.context.stop_for(error);
                    }
                }
            }
        }
    }

    async fn queue(&self, number: u64, again: bool, page: Page, lookup: Option<&Lookup>) -> Result<(), Error> {
        let (context, hand) = (&self.context, &self.shared.hand);
        let Page { objects, folders, touched, settled } = page;
        if !hand.take(number, again, settled) {
            return Ok(());
        }
        let mut batch = Vec::with_capacity(objects.len());
        for form in objects {
            let (object, absent) = form.into_object()?;
            if !hand.add(number, &object.key) {
                continue;
            }
            // What another agent had may be there by now.
            let absent = absent && !again;
            batch.push(Listed { object, folder: None, attempts: 0, absent, mismatched: false });
        }
        hand.added(number);
        if folders {
            let mark = Mark { kept: true, touched };
            batch.into_iter().for_each(|Listed { object, .. }| {
                // What is in it was done by many, and no journal knows all of it.
                context.queue.push_due(Due { object, parent: None, mark, whole: false });
            });
            return Ok(());
        }
        context.meter.listed.add(batch.len() as u64);
        batch.iter().for_each(|listed| context.meter.bytes_expected.add(content_bytes(&listed.object)));
        if let (Some(book), Some(lookup)) = (&context.book, lookup) {
            // What another process of this agent did of this run, or an earlier run.
            for (listed, reason) in book.take_done(lookup, &mut batch)? {
                context.expect_instead(&listed.object, 0);
                context.tell_skipped(&listed.object, reason);
            }
        }
        context.queue.push(&mut batch).await;
        Ok(())
    }

    /// Tells of each page that's done, until nothing more will come.
    async fn tell(&self) {
        while let Some(results) = self.shared.hand.next_done().await {
            let page = results.page;
            let bytes = match self.figured(results).to_bytes() {
                Ok(bytes) => bytes,
                Err(error) => return self.context.stop_for(error),
            };
            let share = &self.shared.share;
            match patiently(&self.context, || share.done(page, bytes.clone())).await {
                // Somebody else has done the same, and the run is over.
                Some(Err(error)) if error.code == Code::NOT_FOUND => {}
                Some(Err(error)) => return self.context.stop_for(error),
                Some(Ok(())) | None => {}
            }
        }
    }

    async fn give_back(&self) {
        for results in self.shared.hand.give_back() {
            let page = results.page;
            let Ok(bytes) = self.figured(results).to_bytes() else { continue };
            if let Err(error) = self.shared.share.give_back(page, bytes).await {
                tracing::debug!(%error, "a page can't be given back; another agent takes it later");
            }
        }
    }

    fn figured(&self, results: Results) -> Results {
        let meter = &self.context.meter;
        let told = |figure: &std::sync::atomic::AtomicU64, now: u64| {
            now.saturating_sub(figure.swap(now, std::sync::atomic::Ordering::Relaxed))
        };
        let retries = told(&self.shared.told_retries, meter.retries.get());
        let repaired = told(&self.shared.told_repaired, meter.repaired.get());
        Results { retries, repaired, ..results }
    }
}

/// What the context says of an object's end, to the page that it's on.
impl Shared {
    pub(in crate::run) fn settle(&self, key: &str, told: impl Fn() -> Told) {
        self.hand.settle(key, told);
    }
}
