//! A worker's part in uploads: beginning one or going on with one, writing parts, and ending it. An
//! upload that isn't committed is aborted; where the run is stopped, only if no journal keeps it for the
//! next one.

use std::sync::{Arc, atomic::Ordering};

use tokio::time::timeout;
use tracing::{Instrument, Span};

use super::{Outcome, Task, Worker};
use crate::{
    compare::SkipReason,
    error::{Code, Error},
    hash::is_combinable,
    listing::Folder,
    object::{Kind, Object},
    retry::Retry,
    rules::{ByteSize, MAX_WHOLE},
    run::{crew::is_crowded, queue::Listed},
    sink::{OpenSink, Part, Replace, Sink},
    source::OpenSource,
    trace,
    transfer::{self, Closing, Failure, Finished, Gauge, Moved, StoredPart, Upload, settle},
};

/// The sink wants the parts of an upload one after the other.
const ORDERED: &str = "ordered-parts";
/// A source's range costs more than its bytes: over FTP a connection of its own, and what the server had
/// sent behind the range when the connection was closed.
const LONG_RANGES: &str = "long-ranges";
/// Parts are so many times as long then: 64 MiB by default, which an interrupted run loses of each worker.
const LONG_FACTOR: u64 = 4;

impl<So: OpenSource, Si: OpenSink> Worker<So, Si> {
    /// Larger than a part, both stores can do it, and what is to be computed follows from parts.
    pub(super) fn moves_in_parts(&self, object: &Object) -> bool {
        let context = &self.context;
        let part_size = self.part_size();
        let follows = context.terms.also.iter().all(|algorithm| is_combinable(*algorithm));
        let most = if follows { part_size } else { MAX_WHOLE.max(part_size) };
        object.kind == Kind::File
            && object.size.is_some_and(|size| size > most.0)
            && context.terms.sink.has("parts")
            && context.source.has("range-read")
    }

    fn part_size(&self) -> ByteSize {
        let part_size = self.context.transfer.part_size;
        match self.context.source.has(LONG_RANGES) {
            true => ByteSize(part_size.0.saturating_mul(LONG_FACTOR).min(MAX_WHOLE.0)),
            false => part_size,
        }
    }

    /// Begins an upload and leaves its parts to whoever is free.
    pub(super) async fn begin(&mut self, task: &mut Task, attempt: u32) -> Result<Outcome, Failure> {
        let context = Arc::clone(&self.context);
        let upload = self.open_upload(task, attempt, self.part_size()).await?;
        self.share(task, upload, self.gauge(&context)).await
    }

    /// The upload that an earlier run left, or a new one.
    pub(super) async fn open_upload(
        &mut self,
        task: &Task,
        attempt: u32,
        part_size: ByteSize,
    ) -> Result<Upload, Failure> {
        let context = Arc::clone(&self.context);
        if let Some(upload) = self.resume(task, attempt).await? {
            return Ok(upload);
        }
        let object = self.told_more(&task.object).await?;
        let (_, sink) = self.live_instances().await?;
        let begun = settle(&context.terms.stop, None, sink.begin(&object)).await;
        let token = begun.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
        let mut upload = Upload::new(object, token, attempt, part_size, None).in_order(context.terms.sink.has(ORDERED));
        if let Some(book) = &context.book {
            upload.journaled = Some(context.ask(book.begun(&upload.object, &upload.token, upload.part_size()))?);
        }
        Ok(upload)
    }

    /// Leaves an upload's parts to whoever is free.
    pub(super) async fn share(
        &mut self,
        task: &mut Task,
        mut upload: Upload,
        gauge: Gauge<'_>,
    ) -> Result<Outcome, Failure> {
        upload.mismatched = task.mismatched;
        upload.span = task.span.clone();
        upload.hold(task.folder.take());
        if let Some(closing) = upload.close_whole() {
            self.close(&upload, closing, gauge).await;
        } else if let Some(upload) = self.context.queue.offer(Arc::new(upload)) {
            self.end_upload(&upload).await;
        }
        Ok(Outcome::Uploading)
    }

    /// What an earlier run left of this very object. What it left of another one by that name is
    /// aborted.
    async fn resume(&mut self, task: &Task, attempt: u32) -> Result<Option<Upload>, Failure> {
        let context = Arc::clone(&self.context);
        let Some(book) = &context.book else { return Ok(None) };
        let Some(open) = book.take_upload(&task.object.key) else { return Ok(None) };
        let part_size = ByteSize(open.part_size);
        let mut upload = Upload::new(task.object.clone(), open.token.clone(), attempt, part_size, None)
            .in_order(context.terms.sink.has(ORDERED));
        upload.journaled = Some(open.id);
        let parts = context.ask(book.resume(&open, &task.object))?.filter(|_| upload.part_size() == open.part_size);
        // Parts whose checksums weren't asked for then prove nothing now.
        let wanted = transfer::part_algorithm(context.terms.verify, &context.terms.sink);
        let proven = |part: &StoredPart| wanted.is_none_or(|wanted| part.checksums.contains_key(&wanted));
        let Some(mut parts) = parts.filter(|parts| parts.iter().all(proven)) else {
            self.abort(&upload).await;
            return Ok(None);
        };
        let (_, sink) = self.live_instances().await?;
        match context.terms.stop.or(sink.held_parts(&upload.token)).await? {
            Ok(Some(held)) => parts.retain(|part| held.iter().any(|held| held.is(&part.receipt))),
            Ok(None) => {}
            Err(error) if error.code == Code::NOT_FOUND => {
                self.forget(&upload);
                return Ok(None);
            }
            // What the store doesn't have is found out at the end.
            Err(error) if !error.instance_lost => tracing::debug!(%error, "the parts of an upload can't be listed"),
            Err(error) => return Err(Failure::sink(error)),
        }
        upload.keep(parts);
        Ok(Some(upload))
    }

    /// True where a store had no place for this worker and the part is back in the queue.
    pub(super) async fn part(&mut self, upload: &Arc<Upload>, part: Part) -> bool {
        let context = Arc::clone(&self.context);
        let gauge = self.gauge(&context);
        gauge.slot.begin(&upload.object.key, part.length);
        let span = trace::part(&upload.span, part);
        let moved = self.move_part(upload, part, gauge).instrument(span).await;
        let Some(result) = moved else {
            if let Some(closing) = upload.give_back(part) {
                self.close(upload, closing, gauge).await;
            } else if let Some(upload) = context.queue.offer(Arc::clone(upload)) {
                self.end_upload(&upload).await;
            }
            gauge.slot.end();
            return true;
        };
        if let Ok(stored) = &result {
            context.crew.succeed();
            self.note_part(upload, stored);
        }
        if let Some(closing) = upload.finish(part, result) {
            self.close(upload, closing, gauge).await;
        } else if context.terms.sink.has(ORDERED)
            && upload.has_more()
            && let Some(upload) = context.queue.offer(Arc::clone(upload))
        {
            // Nobody else has it: it wasn't in the queue while a part was in flight.
            self.end_upload(&upload).await;
        }
        gauge.slot.end();
        self.manners.forget();
        false
    }

    /// Writes a part, again where that may help; none where a store had no place for this worker.
    async fn move_part(&mut self, upload: &Upload, part: Part, gauge: Gauge<'_>) -> Option<Result<StoredPart, Error>> {
        let context = Arc::clone(&self.context);
        let key = &upload.object.key;
        let mut retry = Retry::new(context.policy, 0);
        let result = loop {
            let span = trace::attempt(retry.attempt());
            let tried = self.try_part(upload, part, gauge).instrument(span.clone()).await;
            trace::judge(&span, tried.as_ref().err().map(|failure| &failure.error));
            let failure = match tried {
                Ok(stored) => break Ok(stored),
                Err(failure) if is_crowded(&failure) && context.crew.may_leave() => return None,
                Err(failure) => failure,
            };
            if [Code::CHANGED, Code::UPLOAD_GONE].contains(&failure.error.code) {
                // No part of it is worth anything any more.
                break Err(self.settle_failure(failure, key).await);
            }
            if let Err(error) = self.again(failure, &mut retry, key, Some(part.number)).await {
                break Err(error);
            }
        };
        trace::judge(&Span::current(), result.as_ref().err());
        Some(result)
    }

    pub(super) fn note_part(&self, upload: &Upload, stored: &StoredPart) {
        if let Some(id) = upload.journaled {
            self.context.note(|book| book.part(id, &stored.receipt, &stored.checksums));
        }
    }

    pub(super) async fn try_part(
        &mut self,
        upload: &Upload,
        part: Part,
        gauge: Gauge<'_>,
    ) -> Result<StoredPart, Failure> {
        let context = Arc::clone(&self.context);
        let (source, sink) = self.live_instances().await?;
        if upload.copied {
            return transfer::copy_part(sink, upload, part, &context.terms).await;
        }
        transfer::put_part(source, sink, upload, part, &context.terms, gauge).await
    }

    async fn close(&mut self, upload: &Upload, closing: Closing, gauge: Gauge<'_>) {
        self.end_object(upload, closing, gauge).instrument(upload.span.clone()).await;
    }

    async fn end_object(&mut self, upload: &Upload, closing: Closing, gauge: Gauge<'_>) {
        let (error, folder) = match closing {
            // A commit begun now would take the time that the abort has.
            Closing::Commit(finished) if self.context.is_stopped() => (stopped(), finished.folder),
            Closing::Commit(finished) => match self.commit_proven(upload, &finished, gauge).await {
                Ok(moved) => {
                    trace::outcome("moved");
                    self.context.moved(&upload.object, &moved, upload.attempt, upload.mismatched);
                    if let Some(folder) = &finished.folder {
                        folder.touch();
                        folder.settle();
                    }
                    return self.forget(upload);
                }
                Err(error) => (error, finished.folder),
            },
            Closing::Abort { error, folder } => (error, folder),
        };
        if upload.journaled.is_some() && self.context.is_stopped() {
            // The next run goes on with it.
            return;
        }
        if error.code == Code::UPLOAD_GONE {
            self.forget(upload);
        } else {
            self.abort(upload).await;
        }
        self.start_over(upload, error, folder).await;
    }

    async fn commit_proven(&mut self, upload: &Upload, finished: &Finished, gauge: Gauge<'_>) -> Result<Moved, Error> {
        let key = &upload.object.key;
        let moved = self.commit(upload, finished).await?;
        match self.prove(key, moved, gauge).await {
            Ok(moved) => Ok(moved),
            Err(failure) => {
                // It's visible, so there is no upload any more.
                self.forget(upload);
                Err(self.settle_failure(failure, key).await)
            }
        }
    }

    async fn commit(&mut self, upload: &Upload, finished: &Finished) -> Result<Moved, Error> {
        let context = Arc::clone(&self.context);
        let key = &upload.object.key;
        let mut retry = Retry::new(context.policy, 0);
        loop {
            let committed = match self.live_instances().await {
                Ok((_, sink)) => transfer::commit(sink, upload, finished, &context.terms).await,
                Err(failure) => Err(failure),
            };
            let failure = match committed {
                Ok(moved) => return Ok(moved),
                Err(failure) => failure,
            };
            if starts_over(&failure.error) {
                return Err(self.settle_failure(failure, key).await);
            }
            self.again(failure, &mut retry, key, None).await?;
        }
    }

    /// Puts the object back into the queue where its parts were stored but weren't the object, or
    /// reports it.
    async fn start_over(&mut self, upload: &Upload, error: Error, folder: Option<Arc<Folder>>) {
        let object = &upload.object;
        let mut retry = Retry::new(self.context.policy, upload.attempt - 1);
        let corrupt = error.code == Code::CHECKSUM_MISMATCH;
        let gave_up = if starts_over(&error) {
            self.again(error.into(), &mut retry, &object.key, None).await
        } else {
            Err(error)
        };
        match gave_up {
            Ok(()) => {
                let mismatched = upload.mismatched || corrupt;
                let attempts = upload.attempt;
                self.context.queue.push_again(Listed {
                    object: object.clone(),
                    folder,
                    attempts,
                    absent: false,
                    mismatched,
                });
            }
            Err(error) if self.context.terms.replace == Replace::Never && error.code == Code::ALREADY_EXISTS => {
                trace::outcome("skipped");
                self.context.expect_instead(object, 0);
                self.context.skipped(object, SkipReason::Exists);
                if let Some(folder) = folder {
                    folder.settle();
                }
            }
            Err(error) => self.give_up(object, error, upload.attempt),
        }
    }

    /// After a stop: ends the uploads of which no part is in flight.
    pub(super) async fn end_uploads(&mut self) {
        while let Some(upload) = self.context.queue.take_upload() {
            self.end_upload(&upload).await;
        }
    }

    async fn end_upload(&mut self, upload: &Upload) {
        if let Some(closing) = upload.fail(stopped()) {
            let context = Arc::clone(&self.context);
            self.close(upload, closing, self.gauge(&context)).await;
        }
    }

    /// Drops what the sink holds of an upload; what's left of it where that fails is the sink's to
    /// clean up later.
    pub(super) async fn abort(&mut self, upload: &Upload) {
        let limit = self.cleaning_limit();
        let aborting = async { self.instances().await?.1.abort(&upload.token).await };
        match timeout(limit, aborting).await {
            Ok(Ok(())) => self.forget(upload),
            Ok(Err(error)) => {
                if error.code == Code::NOT_FOUND {
                    self.forget(upload);
                }
                if error.instance_lost {
                    self.sink = None;
                }
                self.context.littered.store(true, Ordering::Relaxed);
                tracing::warn!(%error, "an upload can't be aborted");
            }
            Err(_) => {
                self.sink = None;
                self.context.littered.store(true, Ordering::Relaxed);
                tracing::warn!(key = %upload.object.key, "an upload wasn't aborted in time");
            }
        }
    }

    /// The journal needn't know of an upload any more.
    fn forget(&self, upload: &Upload) {
        if let Some(id) = upload.journaled {
            self.context.note(|book| book.ended(id));
        }
    }
}

/// Whether the parts may all have been stored well and still not be the object.
fn starts_over(error: &Error) -> bool {
    [Code::CHANGED, Code::CHECKSUM_MISMATCH, Code::UPLOAD_GONE].contains(&error.code)
}

fn stopped() -> Error {
    Error::new(Code::CANCELLED, "write-part", "the run was stopped")
}
