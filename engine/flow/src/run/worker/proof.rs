//! A worker's part in reading back: what `verify = "reread"` asks for after each object. Moves nothing
//! again: that's for whoever finds out that it must be.

use std::sync::Arc;

use super::Worker;
use crate::{
    object::Key,
    retry::Retry,
    rules::Verify,
    run::NextAttempt,
    sink::OpenSink,
    source::OpenSource,
    transfer::{self, Failure, Gauge, Grade, Moved},
};

impl<So: OpenSource, Si: OpenSink> Worker<So, Si> {
    /// Reads an object back that was moved, if that's asked for. Reading is tried again by itself: a
    /// sink that's hard to read isn't one that stored something else.
    pub(super) async fn prove(&mut self, key: &Key, moved: Moved, gauge: Gauge<'_>) -> Result<Moved, Failure> {
        let context = Arc::clone(&self.context);
        // What has no bytes has no grade.
        if context.terms.verify != Verify::Reread || moved.grade.is_none() {
            return Ok(moved);
        }
        let mut retry = Retry::new(context.policy, 0);
        loop {
            let failure = match self.read_back(key, &moved, gauge).await {
                Ok(grade) => return Ok(Moved { grade: Some(grade), ..moved }),
                Err(failure) => failure,
            };
            if failure.source_lost {
                self.read_back = None;
            }
            // The instances that moved it have done no wrong.
            let failure = Failure { source_lost: false, ..failure };
            if failure.left_corrupt || context.is_stopped() {
                return Err(failure);
            }
            let failed = retry.attempt();
            let Some(pause) = retry.after(&failure.error, &mut self.jitter) else { return Err(failure) };
            let next = NextAttempt { failed, pause };
            if !context.pause(Some(key.clone()), None, failure.error.clone(), next).await {
                return Err(failure);
            }
        }
    }

    async fn read_back(&mut self, key: &Key, moved: &Moved, gauge: Gauge<'_>) -> Result<Grade, Failure> {
        let context = Arc::clone(&self.context);
        let sink = match &mut self.read_back {
            Some(sink) => sink,
            lost => {
                let opened = context.terms.stop.or(self.sinks.open_read_back()).await?;
                lost.insert(opened.map_err(Failure::source)?)
            }
        };
        transfer::reread(sink, key, moved, &context.terms, gauge).await
    }
}
