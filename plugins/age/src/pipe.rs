//! Bytes from whoever has them to whoever polls for them, in one thread. Holds what was written last.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_io::AsyncRead;

#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    /// How much of it has been read.
    read: usize,
    /// One end is gone.
    closed: bool,
    waiting: Option<Waker>,
}

/// Ends the bytes when it's dropped.
pub(crate) struct Writer(Rc<RefCell<Pipe>>);

pub(crate) struct Reader(Rc<RefCell<Pipe>>);

pub(crate) fn pipe() -> (Writer, Reader) {
    let pipe = Rc::<RefCell<Pipe>>::default();
    (Writer(Rc::clone(&pipe)), Reader(pipe))
}

// === impl Pipe ===

impl Pipe {
    fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.wake();
    }
}

// === impl Writer ===

impl Writer {
    /// Hands bytes over, and waits until they were read. False once nobody reads any more.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        {
            let mut pipe = self.0.borrow_mut();
            pipe.read = 0;
            pipe.bytes.clear();
            pipe.bytes.extend_from_slice(bytes);
            pipe.wake();
        }
        std::future::poll_fn(|context| {
            let mut pipe = self.0.borrow_mut();
            if pipe.closed {
                return Poll::Ready(false);
            }
            if pipe.read == pipe.bytes.len() {
                return Poll::Ready(true);
            }
            pipe.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.borrow_mut().close();
    }
}

// === impl Reader ===

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        let waiting = &pipe.bytes[pipe.read..];
        if waiting.is_empty() {
            if pipe.closed {
                return Poll::Ready(Ok(0));
            }
            pipe.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = waiting.len().min(space.len());
        space[..count].copy_from_slice(&waiting[..count]);
        pipe.read += count;
        if pipe.read == pipe.bytes.len() {
            pipe.wake();
        }
        Poll::Ready(Ok(count))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.borrow_mut().close();
    }
}
