//! What was left at the sink: removed before a run that follows one that was killed, and behind a run
//! whose sink couldn't be reached to clean up; and uploads that nobody goes on with after a run that's
//! whole. What can't be removed costs space, not truth.

use std::sync::{Arc, atomic::Ordering};

use super::{Context, Event};
use crate::{
    error::{Code, Error},
    sink::{OpenSink, Sink},
};

/// Removes what an earlier run or this one left, but for the uploads that this one may go on with. Nothing may be
/// written meanwhile.
pub(super) async fn sweep<Si: OpenSink>(context: Arc<Context>, sinks: Arc<Si>) {
    let keep = context.book.as_ref().map(|book| book.open_tokens()).unwrap_or_default();
    let swept = async { sinks.open_sink().await?.sweep(&keep).await };
    let swept = tokio::select! {
        swept = swept => swept,
        () = context.cancel.cancelled() => return,
    };
    match swept {
        // At the end it was only a guess that there is something.
        Ok(0) if context.littered.load(Ordering::Relaxed) => {}
        Ok(removed) => context.tell(Event::Swept { removed }),
        Err(error) => tracing::warn!(%error, "what was left at the sink can't be removed"),
    }
}

/// Aborts the uploads of objects that are gone, or that aren't moved any more.
pub(super) async fn end_orphans<Si: OpenSink>(context: &Context, sinks: &Si) {
    let Some(book) = &context.book else { return };
    let orphans = book.take_orphans();
    if orphans.is_empty() {
        return;
    }
    let abort = async {
        let mut sink = sinks.open_sink().await?;
        for upload in orphans {
            match sink.abort(&upload.token).await {
                Ok(()) => {}
                Err(error) if error.instance_lost => return Err(error),
                Err(error) if error.code == Code::NOT_FOUND => {}
                // It stays in the journal: the next run tries again.
                Err(error) => {
                    tracing::warn!(%error, "an upload that nobody goes on with can't be aborted");
                    continue;
                }
            }
            book.ended(upload.id)?;
        }
        Ok::<_, Error>(())
    };
    let aborted = tokio::select! {
        aborted = abort => aborted,
        () = context.cancel.cancelled() => return,
    };
    if let Err(error) = aborted {
        tracing::warn!(%error, "uploads that nobody goes on with can't be aborted");
    }
}
