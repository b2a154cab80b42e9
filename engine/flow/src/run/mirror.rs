//! `delete_extra`: removes from the sink what a complete listing of the source doesn't have. Deletes
//! nothing after a failure, nothing where the source listed nothing, nothing that the selection
//! wouldn't have taken, and nothing at all where that were more than the run may delete.
//!
//! What the source has is what the journal says that this run has seen, whatever became of it. The sink
//! is listed twice where there is something to delete: to count, and to delete; so nothing is held in
//! memory, and the limit is kept before the first deletion.

use std::sync::{Arc, Mutex};

use super::{Context, Event, NextAttempt, book::Book};
use crate::{
    error::{Code, Error},
    journal::Lookup,
    listing::{Due, Folder, Found, Mark, Walk},
    object::{Kind, Object},
    retry::{Jitter, Retry},
    rules::DeleteExtra,
    sink::{OpenSink, Sink},
    source::Source,
    sync::lock,
};

/// Objects that are looked up together.
const BATCH: usize = 256;

type WalkOf<Si> = Walk<<<Si as OpenSink>::ReadBack as Source>::Listing>;

/// Listing the sink, and deleting from it.
struct Mirror<'a, Si: OpenSink> {
    context: &'a Context,
    book: &'a Book,
    sinks: &'a Si,
    rules: &'a DeleteExtra,
    lookup: Lookup,
    sink: Option<Si::Sink>,
    jitter: Jitter,
    /// False: only counts.
    deletes: bool,
    batch: Vec<(Object, Option<Arc<Folder>>)>,
    due: Arc<Mutex<Vec<Due>>>,
    total: u64,
    extra: u64,
}

/// Deletes what's extra. An error says why nothing (more) was deleted.
pub(super) async fn mirror<Si: OpenSink>(context: &Context, sinks: &Si, rules: &DeleteExtra) -> Result<(), Error> {
    let Some(book) = &context.book else { return Ok(()) };
    let reason = if context.meter.failed.get() > 0 {
        Some("some objects failed, so what the source has isn't known well enough")
    } else if context.meter.listed.get() == 0 {
        Some("the source listed nothing")
    } else {
        None
    };
    if let Some(reason) = reason {
        context.tell(Event::NothingDeleted { reason });
        return Ok(());
    }
    book.flush()?;
    let max_percent = rules.max_percent;
    let counted = Mirror::new(context, book, sinks, rules, false)?.run().await?;
    if counted.extra == 0 {
        return Ok(());
    }
    if counted.extra.saturating_mul(100) > u64::from(max_percent).saturating_mul(counted.total) {
        let Mirror { extra, total, .. } = counted;
        let message = format!(
            "{extra} of the sink's {total} objects aren't at the source, and a run may delete {max_percent} % of them: \
             see whether the source is whole, or raise max_delete_percent; nothing was deleted"
        );
        return Err(Error::new(Code::LIMIT, "delete", message));
    }
    Mirror::new(context, book, sinks, rules, true)?.run().await?;
    Ok(())
}

// === impl Mirror ===

impl<'a, Si: OpenSink> Mirror<'a, Si> {
    fn new(
        context: &'a Context,
        book: &'a Book,
        sinks: &'a Si,
        rules: &'a DeleteExtra,
        deletes: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            context,
            book,
            sinks,
            rules,
            lookup: book.lookup()?,
            sink: None,
            jitter: context.jitter(usize::MAX - 1),
            deletes,
            batch: Vec::new(),
            due: Arc::default(),
            total: 0,
            extra: 0,
        })
    }

    /// Walks the sink to its end. A listing that breaks off ends it: what wasn't listed stays.
    async fn run(mut self) -> Result<Self, Error> {
        let mut source = self.sinks.open_read_back().await?;
        let capabilities = self.sinks.capabilities();
        let due = Arc::clone(&self.due);
        let take_due = capabilities.has("directories").then(|| -> crate::listing::TakeDue {
            Arc::new(move |folder: Due| {
                if folder.mark.kept {
                    lock(&due).push(folder)
                }
            })
        });
        let mut walk: WalkOf<Si> = Walk::new(capabilities.has("ordered-listing"), None, take_due);
        let mut retry = Retry::new(self.context.policy, 0);
        loop {
            match walk.next(&mut source).await {
                Ok(Some(found)) => self.take(found).await?,
                Ok(None) => break,
                Err(interruption) => {
                    let error = interruption.error;
                    if error.instance_lost {
                        walk.lose_listings();
                        source = self.sinks.open_read_back().await?;
                    }
                    let failed = retry.attempt();
                    let pause = retry.after(&error, &mut self.jitter).filter(|_| interruption.resumable);
                    let Some(pause) = pause else { return Err(error) };
                    self.context.pause(interruption.folder, None, error, NextAttempt { failed, pause }).await;
                }
            }
        }
        self.settle().await?;
        Ok(self)
    }

    async fn take(&mut self, found: Found) -> Result<(), Error> {
        let (object, folder) = match found {
            // It can't be asked for by this name, so nobody says that it's extra.
            Found::Unreadable { .. } => return Ok(()),
            Found::Object { object, folder } | Found::EmptyFolder { object, folder } => (object, folder),
        };
        if let Some(folder) = &folder {
            folder.keep();
        }
        let kept = self.rules.keep.iter().any(|start| object.key.as_str().starts_with(start.as_str()));
        if kept || matches!(object.kind, Kind::Other(_)) || self.context.is_foreign(&object) {
            // What isn't selected is nobody's concern, and holds its folder.
            folder.iter().for_each(|folder| folder.touch());
            return Ok(());
        }
        self.total += 1;
        self.batch.push((object, folder));
        // Folders that are due wait in the batch's guards.
        if self.batch.len() >= BATCH { self.settle().await } else { Ok(()) }
    }

    /// Decides on what was gathered, then on the folders that this leaves empty.
    async fn settle(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        let known = self.lookup.find(batch.iter().map(|(object, _)| &object.key))?;
        for ((object, folder), known) in batch.into_iter().zip(known) {
            let seen = known.is_some_and(|known| known.run == self.book.run())
                || object.kind == Kind::Directory && self.lookup.has_seen_below(&object.key, self.book.run())?;
            if !seen {
                self.extra += 1;
            }
            let gone = !seen && self.deletes && self.delete(&object).await;
            if let Some(folder) = &folder
                && !gone
            {
                folder.touch();
            }
        }
        loop {
            let Some(Due { object, parent, mark: Mark { touched, .. }, .. }) = lock(&self.due).pop() else {
                return Ok(());
            };
            let emptied = self.deletes && !touched && !self.context.is_foreign(&object);
            let gone = emptied && !self.is_seen(&object)? && self.delete(&object).await;
            if let Some(parent) = &parent
                && !gone
            {
                parent.touch();
            }
        }
    }

    fn is_seen(&self, folder: &Object) -> Result<bool, Error> {
        let known = self.lookup.get(&folder.key)?;
        Ok(known.is_some_and(|known| known.run == self.book.run())
            || self.lookup.has_seen_below(&folder.key, self.book.run())?)
    }

    /// Whether it's gone.
    async fn delete(&mut self, object: &Object) -> bool {
        let mut retry = Retry::new(self.context.policy, 0);
        loop {
            let error = match self.try_delete(object).await {
                Ok(()) => break,
                Err(error) if error.code == Code::NOT_FOUND => break,
                Err(error) => error.with_key(&object.key),
            };
            if error.instance_lost {
                self.sink = None;
            }
            let failed = retry.attempt();
            let Some(pause) = retry.after(&error, &mut self.jitter) else {
                // It wasn't among what was listed so far.
                self.context.meter.listed.add(1);
                self.context.failed(object.key.as_str().to_owned(), error, failed);
                return false;
            };
            let key = Some(object.key.clone());
            self.context.pause(key, None, error, NextAttempt { failed, pause }).await;
        }
        self.context.note(|book| book.deleted(&object.key));
        self.context.meter.deleted.add(1);
        self.context.tell(Event::ObjectDeleted { key: object.key.clone() });
        true
    }

    async fn try_delete(&mut self, object: &Object) -> Result<(), Error> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            lost => lost.insert(self.sinks.open_sink().await?),
        };
        sink.delete(&object.key).await
    }
}
