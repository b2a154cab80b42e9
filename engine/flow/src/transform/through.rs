//! One transform at work: what feeds it, on a task of its own, and what comes out. Holds one chunk at each
//! side; judges what the transform did.
//!
//! Whoever waits for a credit must be polled: the first in a tunnel's line holds up all others. So feeding,
//! which waits for credits, can't be left to those who want what comes out and wait for credits too.

use std::{cell::RefCell, future::Future, pin::Pin, pin::pin, rc::Rc};

use tokio::task::{JoinHandle, spawn_local};

use super::{Output, toll::Toll};
use crate::{
    body::{BodyWriter, Chunk, Delivery, MAX_CHUNK_BYTES, SinkGone},
    error::{Code, Error},
    object::Checksums,
    pump::accept,
    rules::ByteSize,
    source::Form,
};

pub(super) type Next<'a> = Pin<Box<dyn Future<Output = Result<Option<Chunk>, Error>> + 'a>>;

/// Where a transform's bytes come from: the source, or the transform before.
pub(super) trait Upstream {
    /// The next chunk; none once all of them were whole.
    fn next(&mut self) -> Next<'_>;
}

/// There is nobody to feed.
pub(super) struct Nothing;

/// What goes into a transform.
///
/// ## Under way => (fed | refused | failed)
pub(super) struct Feeding(State);

enum State {
    UnderWay(Task),
    Ended(Fed),
}

/// Ends with whoever holds it.
struct Task(JoinHandle<Result<Fed, Error>>);

enum Fed {
    /// It has everything, as far as it took it.
    Whole(Delivery),
    /// It has let go of its input.
    Refused,
}

/// What comes out of it.
pub struct Through<O> {
    output: O,
    feeding: Feeding,
    /// Only of the last one: what goes to the sink.
    toll: Option<Rc<RefCell<Toll>>>,
    max_object: u64,
    made: u64,
    ended: bool,
}

async fn feed(mut upstream: Box<dyn Upstream>, mut body: BodyWriter) -> Result<Fed, Error> {
    while let Some(chunk) = upstream.next().await? {
        if let Err(SinkGone) = body.write(chunk).await {
            return Ok(Fed::Refused);
        }
    }
    Ok(Fed::Whole(body.finish(Ok(Checksums::new()))))
}

/// Does the work of a transform while it's fed. What fails to come is its failure too.
pub(super) async fn beside<T>(feeding: &mut Feeding, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    loop {
        let State::UnderWay(fed) = &mut feeding.0 else { return work.await };
        tokio::select! {
            biased;
            done = &mut work => return done,
            fed = fed.join() => feeding.0 = State::Ended(fed?),
        }
    }
}

// === impl Nothing ===

impl Upstream for Nothing {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async { Ok(None) })
    }
}

// === impl Feeding ===

impl Feeding {
    pub(super) fn new(upstream: Box<dyn Upstream>, body: BodyWriter) -> Self {
        Self(State::UnderWay(Task(spawn_local(feed(upstream, body)))))
    }

    /// Fails unless the transform, which says that it's done, has had and taken everything.
    async fn is_taken(&mut self) -> Result<(), Error> {
        if let State::UnderWay(fed) = &mut self.0 {
            // Whoever has read to the end has seen this end.
            if !fed.0.is_finished() {
                return Err(left_some());
            }
            self.0 = State::Ended(fed.join().await?);
        }
        match &self.0 {
            State::Ended(Fed::Whole(delivery)) if delivery.is_complete() => Ok(()),
            _ => Err(left_some()),
        }
    }
}

// === impl Task ===

impl Task {
    async fn join(&mut self) -> Result<Fed, Error> {
        let died = |_| Err(Error::new(Code::INTERNAL, "transform", "the task that feeds it ended before its work did"));
        (&mut self.0).await.unwrap_or_else(died)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn left_some() -> Error {
    let message = "the transform says that it's done, but didn't take all bytes";
    // As it's the transform's own doing, another attempt would end so too.
    Error::new(Code::INTERNAL, "transform", message)
}

// === impl Through ===

impl<O: Output> Through<O> {
    pub(super) fn new(output: O, feeding: Feeding, max_object: ByteSize) -> Self {
        Self { output, feeding, toll: None, max_object: max_object.0, made: 0, ended: false }
    }

    /// Its bytes go to the sink.
    pub(super) fn at_the_end(self, toll: Rc<RefCell<Toll>>) -> Self {
        Self { toll: Some(toll), ..self }
    }

    /// Waits until there is something to be read: how much of it had credit when it went in.
    pub(super) async fn prepaid(&mut self) -> Result<usize, Error> {
        if !self.ended {
            beside(&mut self.feeding, self.output.offered()).await?;
        }
        Ok(self.toll.as_ref().map_or(0, |toll| toll.borrow().free_to_write()))
    }

    pub(super) async fn read(&mut self, max: usize) -> Result<Option<Chunk>, Error> {
        if self.ended {
            return Ok(None);
        }
        let Some(chunk) = beside(&mut self.feeding, self.output.read(max, Form::Bytes)).await? else {
            self.feeding.is_taken().await?;
            self.ended = true;
            return Ok(None);
        };
        let length = accept(&chunk, max)?;
        self.made += length as u64;
        if self.made > self.max_object {
            let most = self.max_object;
            let message = format!("a transform made more than {most} bytes of it; raise limits.max_object if it may");
            return Err(Error::new(Code::TOO_LARGE, "transform", message));
        }
        if let Some(toll) = &self.toll {
            toll.borrow_mut().written(length);
        }
        Ok(Some(chunk))
    }
}

impl<O: Output> Upstream for Through<O> {
    fn next(&mut self) -> Next<'_> {
        Box::pin(self.read(MAX_CHUNK_BYTES))
    }
}
