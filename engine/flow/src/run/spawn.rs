//! Where workers run: each on a thread of its own with its own small runtime, or wherever a test
//! wants them. Knows nothing of what they do.

use std::{future::Future, pin::Pin, task::Poll, thread};

use tokio::{
    sync::oneshot,
    task::{LocalSet, spawn_local},
};

/// A future that stays on its thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// Makes a worker's future on the thread that will run it.
pub type Work = Box<dyn FnOnce() -> LocalFuture<()> + Send>;

/// A worker ended without finishing: it panicked, or its thread couldn't be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// Starts workers.
pub trait Spawn {
    /// Starts one; the future resolves when it's done. `name` is at most 15 bytes, which is what
    /// Linux keeps of a thread's.
    fn spawn(&self, name: String, work: Work) -> LocalFuture<Result<(), Lost>>;
}

/// A thread for each worker: an instance never leaves it, and file input and output may block it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadPerWorker;

/// Waits until everybody is done. All at once: whoever waits for one that died must hear of it, by
/// `lost`.
pub(crate) async fn everybody(mut crew: Vec<LocalFuture<Result<(), Lost>>>, lost: impl Fn()) {
    std::future::poll_fn(|task| {
        crew.retain_mut(|member| match member.as_mut().poll(task) {
            Poll::Ready(Err(Lost)) => {
                lost();
                false
            }
            Poll::Ready(Ok(())) => false,
            Poll::Pending => true,
        });
        if crew.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

// === impl ThreadPerWorker ===

impl Spawn for ThreadPerWorker {
    fn spawn(&self, name: String, work: Work) -> LocalFuture<Result<(), Lost>> {
        let (done, is_done) = oneshot::channel();
        let started = thread::Builder::new().name(name).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => {
                    // A task of the set's own: woken by a task beside it, it costs no system call, as
                    // the future that blocks the thread would.
                    let worked = LocalSet::new().block_on(&runtime, async { spawn_local(work()).await });
                    if let Err(error) = worked {
                        tracing::error!(%error, "a worker panicked");
                        return;
                    }
                    // Nobody waits any more where the run was dropped.
                    let _ = done.send(());
                }
                Err(error) => tracing::error!(%error, "a worker's runtime can't be built"),
            }
        });
        Box::pin(async move {
            if let Err(error) = &started {
                tracing::error!(%error, "a worker's thread can't be started");
            }
            is_done.await.map_err(|_| Lost)
        })
    }
}
