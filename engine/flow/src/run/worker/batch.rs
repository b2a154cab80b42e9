//! Small objects together. What a batch can't do is done again one by one, as if there had been no
//! batch: it's no attempt of any object, and nobody hears of it.

use std::sync::Arc;

use super::{Outcome, Task, Worker};
use crate::{
    error::Code,
    object::Object,
    rules::Overwrite,
    run::{
        content_bytes,
        queue::{Batching, Listed},
    },
    sink::OpenSink,
    source::OpenSource,
    transfer,
};

impl<So: OpenSource, Si: OpenSink> Worker<So, Si> {
    /// What this worker takes together now. Never more bytes than one credit has, so that a batch
    /// waits for the tunnel no longer than an object of the same size would.
    pub(super) fn batching(&self) -> Option<Batching> {
        let context = &self.context;
        context.batches.then(|| Batching {
            bytes: context.terms.tunnel.largest_credit() as u64,
            absent_only: context.transfer.overwrite != Overwrite::Always,
            workers: context.transfer.workers,
        })
    }

    /// True where a store had no place for this worker and what is left is back in the queue.
    pub(super) async fn batch(&mut self, batch: Vec<Listed>) -> bool {
        let alone = self.together(batch).await;
        let mut alone = alone.into_iter();
        while let Some(listed) = alone.next() {
            if self.object(listed).await {
                alone.rev().for_each(|listed| self.context.queue.push_again(listed));
                return true;
            }
        }
        false
    }

    /// Moves a batch, and returns what is to be moved one by one.
    async fn together(&mut self, batch: Vec<Listed>) -> Vec<Listed> {
        let Some(first) = batch.first().map(|listed| listed.object.key.clone()) else { return batch };
        let context = Arc::clone(&self.context);
        let gauge = self.gauge(&context);
        gauge.slot.begin(&first, batch.iter().map(|listed| content_bytes(&listed.object)).sum());
        let objects: Vec<&Object> = batch.iter().map(|listed| &listed.object).collect();
        let moved = match self.live_instances().await {
            Ok((source, sink)) => transfer::put_batch(source, sink, &objects, &context.terms, gauge).await,
            Err(failure) => Err(failure),
        };
        gauge.slot.end();
        let results = match moved {
            Ok(results) => results,
            Err(failure) => {
                let error = self.settle_failure(failure, &first).await;
                tracing::debug!(%error, objects = batch.len(), "a batch failed: its objects are moved one by one");
                return batch;
            }
        };
        let mut alone = Vec::new();
        for (mut listed, result) in batch.into_iter().zip(results) {
            match result {
                Ok(moved) => self.end(Task::of(listed), Outcome::Moved(moved), 1),
                Err(failure) => {
                    let error = self.settle_failure(failure, &listed.object.key).await;
                    tracing::debug!(%error, "an object of a batch failed: it's moved by itself");
                    listed.mismatched |= error.code == Code::CHECKSUM_MISMATCH;
                    alone.push(listed);
                }
            }
        }
        self.manners.forget();
        alone
    }
}
