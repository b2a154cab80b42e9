//! Bodies on their way out and in. A body that belongs to a transfer holds its last chunk back until
//! the engine says that everything was whole: a server then never has a wrong object to show.

use std::{
    any::{Any, TypeId},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use culvert_flow::body::{Chunk, MAX_CHUNK_BYTES};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Instant, Sleep},
};
use wasmtime::{
    StoreContextMut,
    component::{Destination, StreamProducer, StreamResult},
};
use wasmtime_wasi_http::{Error, WasiBody};

use super::failure;
use crate::{
    files::{End, Feed, read_chunk},
    progress::Progress,
};

/// A request's body; whoever waits for the answer sees whether the server takes it.
pub(super) struct Leaving {
    body: WasiBody,
    progress: Arc<Progress>,
}

/// A transfer's bytes as a request's body, straight from the engine.
pub(super) struct FeedBody {
    feed: Feed,
    /// Resolves once the engine knows whether the bytes were whole; none for a part, whose object
    /// isn't visible yet.
    whole: Option<End>,
    held: Option<Bytes>,
    ended: bool,
}

/// An answer's body; its connection counts until it ends.
pub(super) struct Arriving {
    body: hyper::body::Incoming,
    permit: Option<OwnedSemaphorePermit>,
    idle_timeout: Duration,
    idle: Pin<Box<Sleep>>,
    is_idle: bool,
}

/// An answer's body as a guest's stream. The host takes it back when the guest passes it on.
pub(crate) struct Incoming {
    body: WasiBody,
    rest: Bytes,
    done: Option<oneshot::Sender<Result<(), Error>>>,
}

// === impl Leaving ===

impl Leaving {
    pub(super) fn new(body: WasiBody, progress: Arc<Progress>) -> Self {
        Self { body, progress }
    }

    pub(super) fn boxed(self) -> WasiBody {
        self.boxed_unsync()
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.progress.watch_data(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl FeedBody ===

impl FeedBody {
    pub(super) fn new(mut feed: Feed) -> Self {
        let whole = feed.take_end();
        Self { feed, whole, held: None, ended: false }
    }

    /// What comes after the last chunk: nothing, or the one that was held back.
    fn poll_last(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(whole) = &mut self.whole {
            let is_whole = ready!(self.feed.progress().watch_end(Pin::new(whole).poll(context))).is_ok();
            self.whole = None;
            if !is_whole {
                self.held = None;
                return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
            }
        }
        Poll::Ready(self.held.take().map(|last| Ok(Frame::data(last))))
    }
}

impl Body for FeedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        while !self.ended {
            let bytes = match ready!(self.feed.poll_next(context)) {
                Some(Chunk::Bytes(bytes)) => bytes,
                Some(Chunk::Extent(extent)) => match read_chunk(&extent.file, extent.offset, extent.length) {
                    Ok(bytes) => bytes,
                    Err(error) => return Poll::Ready(Some(Err(Error::InternalError(Some(error.to_string()))))),
                },
                None => {
                    self.ended = true;
                    self.feed.progress().end_data();
                    break;
                }
            };
            let before = match self.whole {
                Some(_) => self.held.replace(bytes),
                None => Some(bytes),
            };
            if let Some(before) = before {
                return Poll::Ready(Some(Ok(Frame::data(before))));
            }
        }
        self.poll_last(context)
    }
}

// === impl Arriving ===

impl Arriving {
    pub(super) fn new(body: hyper::body::Incoming, permit: OwnedSemaphorePermit, idle_timeout: Duration) -> Self {
        let idle = Box::pin(tokio::time::sleep(idle_timeout));
        Self { body, permit: Some(permit), idle_timeout, idle, is_idle: false }
    }

    pub(super) fn boxed(self) -> WasiBody {
        self.boxed_unsync()
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.is_idle = false;
                if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
                    self.permit = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(|error| failure::of_body(&error))))
            }
            Poll::Pending => {
                if !self.is_idle {
                    self.is_idle = true;
                    let until = Instant::now() + self.idle_timeout;
                    self.idle.as_mut().reset(until);
                }
                ready!(self.idle.as_mut().poll(context));
                self.permit = None;
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Incoming ===

impl Incoming {
    pub(super) fn new(body: WasiBody, done: oneshot::Sender<Result<(), Error>>) -> Self {
        Self { body, rest: Bytes::new(), done: Some(done) }
    }

    /// The next bytes, at most `max` of them; none at the end. How it ended is also the guest's to
    /// know.
    ///
    /// # Errors
    /// The answer broke off.
    pub(crate) async fn next(&mut self, max: usize) -> Result<Option<Bytes>, String> {
        let next = std::future::poll_fn(|context| self.poll_next(context, max)).await;
        next.transpose().map_err(|error| error.to_string())
    }

    fn poll_next(&mut self, context: &mut Context<'_>, max: usize) -> Poll<Option<Result<Bytes, Error>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => {
                    self.close(Ok(()));
                    return Poll::Ready(None);
                }
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    let told = Error::InternalError(Some(error.to_string()));
                    self.close(Err(error));
                    return Poll::Ready(Some(Err(told)));
                }
            }
        }
        let count = self.rest.len().min(max);
        Poll::Ready(Some(Ok(self.rest.split_to(count))))
    }

    fn close(&mut self, result: Result<(), Error>) {
        if let Some(done) = self.done.take() {
            // The guest may have dropped its end.
            let _ = done.send(result);
        }
    }
}

impl<D> StreamProducer<D> for Incoming {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let room = destination.remaining(&mut store).unwrap_or(MAX_CHUNK_BYTES).min(MAX_CHUNK_BYTES);
        if room == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.poll_next(context, room) {
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                destination.set_buffer(bytes);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(Ok(StreamResult::Dropped)),
        }
    }

    fn try_into(me: Pin<Box<Self>>, ty: TypeId) -> Result<Box<dyn Any>, Pin<Box<Self>>> {
        if ty != TypeId::of::<Self>() {
            return Err(me);
        }
        let taken: Box<Self> = Pin::into_inner(me);
        Ok(taken)
    }
}
