//! Small objects together. What a batch can't do is done again one by one, as if there had been no
//! batch: it's no attempt of any object, and nobody hears of it. Only what was read or put by itself on
//! its way into or out of a batch has had its attempt.

use std::sync::Arc;

use tracing::{Instrument, Span};

use super::{Outcome, Task, Worker};
use crate::{
    compare::SkipReason,
    error::Code,
    object::Object,
    rules::Overwrite,
    run::{
        content_bytes,
        queue::{Batching, Listed},
    },
    sink::OpenSink,
    source::OpenSource,
    trace,
    transfer::{self, Failure, Together},
};

impl<So: OpenSource, Si: OpenSink> Worker<So, Si> {
    /// What this worker takes together now. Never more bytes than one credit has, so that a batch
    /// waits for the tunnel no longer than an object of the same size would.
    pub(super) fn batching(&self) -> Option<Batching> {
        let context = &self.context;
        context.batches.map(|_| Batching {
            bytes: context.terms.tunnel.largest_credit() as u64,
            absent_only: context.transfer.overwrite != Overwrite::Always,
            workers: context.transfer.workers,
        })
    }

    /// True where a store had no place for this worker and what is left is back in the queue.
    pub(super) async fn batch(&mut self, batch: Vec<Listed>) -> bool {
        let (mut rest, mut alone) = (batch, Vec::new());
        // A source that's far away has a batch read in pieces.
        while rest.len() > 1 {
            let before = rest.len();
            let span = trace::batch(before, rest.iter().map(|listed| content_bytes(&listed.object)).sum());
            let (left, failed) = self.together(rest).instrument(span).await;
            rest = left;
            alone.extend(failed);
            if rest.len() == before || self.context.is_stopped() {
                break;
            }
        }
        let mut alone = alone.into_iter().chain(rest.into_iter().map(|listed| (listed, None)));
        while let Some((listed, failed)) = alone.next() {
            if self.object(listed, failed).await {
                // In the order in which they stood there.
                let left: Vec<_> = alone.map(|(listed, _)| listed).collect();
                left.into_iter().rev().for_each(|listed| self.context.queue.push_again(listed));
                return true;
            }
        }
        false
    }

    /// Moves a batch. Returns what it didn't come to, and what is to be moved one by one: with the failure
    /// where that was an attempt of this object.
    async fn together(&mut self, batch: Vec<Listed>) -> (Vec<Listed>, Vec<(Listed, Option<Failure>)>) {
        let context = Arc::clone(&self.context);
        let (Some(together), Some(first)) = (context.batches, batch.first()) else { return (batch, Vec::new()) };
        let first = first.object.key.clone();
        let gauge = self.gauge(&context);
        gauge.slot.begin(&first, batch.iter().map(|listed| content_bytes(&listed.object)).sum());
        let objects: Vec<&Object> = batch.iter().map(|listed| &listed.object).collect();
        let moved = match self.live_instances().await {
            Ok((source, sink)) => transfer::put_batch(source, sink, &objects, &context.terms, gauge, together).await,
            Err(failure) => Err(failure),
        };
        gauge.slot.end();
        let results = match moved {
            Ok(results) => results,
            Err(failure) => {
                let error = self.settle_failure(failure, &first).await;
                trace::judge(&Span::current(), Some(&error));
                tracing::debug!(%error, objects = batch.len(), "a batch failed: its objects are moved one by one");
                return (Vec::new(), batch.into_iter().map(|listed| (listed, None)).collect());
            }
        };
        let (mut left, mut alone) = (Vec::new(), Vec::new());
        for (listed, result) in batch.into_iter().zip(results) {
            match result {
                None => left.push(listed),
                Some(Ok(moved)) => {
                    context.crew.succeed();
                    self.end(Task::of(listed), Outcome::Moved(moved), 1);
                }
                // Somebody was faster.
                Some(Err(failure)) if together == Together::Source && self.is_no_replacement(&failure) => {
                    self.end(Task::of(listed), Outcome::Skipped(SkipReason::Exists), 1);
                }
                Some(Err(failure)) if together == Together::Both || failure.from_sink && together == Together::Sink => {
                    alone.push((self.was_no_attempt(listed, failure).await, None));
                }
                Some(Err(failure)) => {
                    self.forget_lost(&failure);
                    alone.push((listed, Some(failure)));
                }
            }
        }
        self.manners.forget();
        (left, alone)
    }

    /// What a batch couldn't do with an object is done as if there had been none.
    async fn was_no_attempt(&mut self, mut listed: Listed, failure: Failure) -> Listed {
        let error = self.settle_failure(failure, &listed.object.key).await;
        tracing::debug!(%error, "an object of a batch failed: it's moved by itself");
        listed.mismatched |= error.code == Code::CHECKSUM_MISMATCH;
        listed
    }

    /// The next attempt has other instances.
    fn forget_lost(&mut self, failure: &Failure) {
        if failure.source_lost {
            self.source = None;
        }
        if failure.sink_lost {
            self.sink = None;
        }
    }
}
