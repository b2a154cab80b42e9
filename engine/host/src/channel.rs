//! What comes out of a guest, handed to the engine as it asks for it: items of a listing in bounded
//! batches, bytes in the very amount that was credited. Never takes more than was asked for.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::oneshot;
use wasmtime::{
    StoreContextMut,
    component::{FutureConsumer, Lift, Source, StreamConsumer, StreamResult},
};

use crate::{pool::Buffer, state::State};

/// Items taken from a guest's stream at once.
const BATCH: usize = 256;

/// A future of the guest, delivered to the engine.
pub(crate) struct Deliver<T>(pub(crate) Option<oneshot::Sender<T>>);

/// The guest's end of a listing.
pub(crate) struct Items<T> {
    batches: futures_channel::mpsc::Sender<Vec<T>>,
}

/// The guest's end of a reading whose bytes the guest makes itself.
pub(crate) struct Bytewise(Arc<Mutex<Demand>>);

/// The engine's end of it.
pub(crate) struct Wanted(Arc<Mutex<Demand>>);

#[derive(Default)]
struct Demand {
    wanted: usize,
    given: Option<Bytes>,
    /// The guest has bytes that nobody has asked for yet.
    offered: bool,
    ended: bool,
    guest: Option<Waker>,
    engine: Option<Waker>,
}

/// Both ends of a listing; one batch in between.
pub(crate) fn items<T>() -> (Items<T>, futures_channel::mpsc::Receiver<Vec<T>>) {
    let (batches, receiver) = futures_channel::mpsc::channel(0);
    (Items { batches }, receiver)
}

/// Both ends of a guest-made stream of bytes; nothing in between.
pub(crate) fn bytewise() -> (Bytewise, Wanted) {
    let demand = Arc::new(Mutex::new(Demand::default()));
    (Bytewise(Arc::clone(&demand)), Wanted(demand))
}

// === impl Deliver ===

impl<T: Lift + Send + 'static> FutureConsumer<State> for Deliver<T> {
    type Item = T;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        mut store: StoreContextMut<State>,
        mut source: Source<'_, T>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut value = None;
        source.read(&mut store, &mut value)?;
        if let (Some(value), Some(sender)) = (value, self.0.take()) {
            // The engine may have lost interest.
            let _ = sender.send(value);
        }
        Poll::Ready(Ok(()))
    }
}

// === impl Items ===

impl<T: Lift + Send + 'static> StreamConsumer<State> for Items<T> {
    type Item = T;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<State>,
        mut source: Source<'_, T>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.batches.poll_ready(context) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Ok(())) => {}
        }
        let waiting = source.remaining(&mut store);
        let mut batch = Vec::with_capacity(waiting.min(BATCH));
        source.read(&mut store, &mut batch)?;
        if !batch.is_empty() && self.batches.start_send(batch).is_err() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

// === impl Bytewise ===

impl StreamConsumer<State> for Bytewise {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<State>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut demand = lock(&self.0);
        if demand.ended {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        if demand.wanted == 0 {
            if finish {
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            demand.guest = Some(context.waker().clone());
            demand.offered = true;
            if let Some(engine) = demand.engine.take() {
                engine.wake();
            }
            return Poll::Pending;
        }
        demand.offered = false;
        let mut source = source.as_direct(store);
        let waiting = source.remaining();
        let count = waiting.len().min(demand.wanted);
        if count > 0 {
            let mut buffer = Buffer::take();
            let space = buffer.space(count);
            let count = space.len();
            space.copy_from_slice(&waiting[..count]);
            source.mark_read(count);
            demand.given = Some(buffer.freeze(count));
            demand.wanted = 0;
            if let Some(engine) = demand.engine.take() {
                engine.wake();
            }
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Bytewise {
    fn drop(&mut self) {
        let mut demand = lock(&self.0);
        demand.ended = true;
        if let Some(engine) = demand.engine.take() {
            engine.wake();
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// Waits until the guest has bytes, or has ended its stream. Takes none.
    pub(crate) async fn offered(&mut self) {
        std::future::poll_fn(|context| {
            let mut demand = lock(&self.0);
            if demand.offered || demand.ended || demand.given.is_some() {
                return Poll::Ready(());
            }
            demand.engine = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The next bytes, at most `max`; none once the guest has ended its stream.
    pub(crate) async fn next(&mut self, max: usize) -> Option<Bytes> {
        lock(&self.0).wanted = max;
        std::future::poll_fn(|context| {
            let mut demand = lock(&self.0);
            if let Some(bytes) = demand.given.take() {
                return Poll::Ready(Some(bytes));
            }
            if demand.ended {
                return Poll::Ready(None);
            }
            demand.engine = Some(context.waker().clone());
            if let Some(guest) = demand.guest.take() {
                guest.wake();
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut demand = lock(&self.0);
        demand.ended = true;
        if let Some(guest) = demand.guest.take() {
            guest.wake();
        }
    }
}

/// A panic elsewhere leaves the demand as it was: it's plain data.
fn lock(demand: &Mutex<Demand>) -> MutexGuard<'_, Demand> {
    demand.lock().unwrap_or_else(PoisonError::into_inner)
}
