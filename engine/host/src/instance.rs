//! One running connector: a store that lives on its own task and does one call at a time, while
//! what the guest spawned goes on. A trap or a limit ends it for good; it never takes the engine along.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use culvert_flow::{
    error::{Code, Error},
    trace,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tracing::Instrument;
use wasmtime::{
    Store,
    component::{Accessor, ResourceTableError},
};

use crate::{
    limits::{LimitExceeded, Limits},
    loader::Exports,
    progress::Progress,
    state::State,
};

/// How wasmtime words that a guest has too many streams, futures and tasks; it has no type for it.
const HANDLE_LIMIT: &str = "store handle limit exceeded";

type Work = Box<dyn for<'a> FnOnce(&'a Accessor<State>, &'a Exports) -> Pin<Box<dyn Future<Output = ()> + 'a>>>;

/// Handle to a running connector. Dropping the last clone ends it.
#[derive(Clone)]
pub(crate) struct Instance {
    inner: Rc<Inner>,
}

struct Inner {
    work: mpsc::UnboundedSender<Work>,
    verdict: Rc<RefCell<Option<Error>>>,
    task: JoinHandle<()>,
    limits: Limits,
    /// `source` or `sink`; empty before that's known.
    end: Cell<&'static str>,
}

// === impl Instance ===

impl Instance {
    /// Starts the store on the current thread's `LocalSet`.
    pub(crate) fn start(store: Store<State>, exports: Exports, limits: Limits) -> Self {
        let (work, queue) = mpsc::unbounded_channel();
        let verdict = Rc::new(RefCell::new(None));
        let task = tokio::task::spawn_local(live(store, exports, queue, Rc::clone(&verdict)));
        Self { inner: Rc::new(Inner { work, verdict, task, limits, end: Cell::default() }) }
    }

    /// Says which end it is, for traces.
    pub(crate) fn serve(&self, end: &'static str) {
        self.inner.end.set(end);
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Does one call. Without an answer in `limits.call_timeout` the instance is lost.
    ///
    /// # Errors
    /// The guest trapped, went over a limit or didn't answer.
    pub(crate) async fn call<R: 'static>(
        &self,
        operation: &'static str,
        call: impl AsyncFnOnce(&Accessor<State>, &Exports) -> wasmtime::Result<R> + 'static,
    ) -> Result<R, Error> {
        let timeout = self.inner.limits.call_timeout;
        let answering = async {
            let mut answer = self.submit(operation, call)?;
            match tokio::time::timeout(timeout, &mut answer).await {
                Ok(answered) => self.answered(operation, answered),
                Err(_) => Err(self.end(operation, timeout)),
            }
        };
        self.traced(operation, answering).await
    }

    /// Does one call that takes data for as long as it takes. The instance is lost if it neither
    /// takes a chunk nor answers within `limits.idle_timeout` while it's its turn.
    ///
    /// # Errors
    /// The guest trapped, went over a limit or stopped.
    pub(crate) async fn call_fed<R: 'static>(
        &self,
        operation: &'static str,
        progress: &Progress,
        call: impl AsyncFnOnce(&Accessor<State>, &Exports) -> wasmtime::Result<R> + 'static,
    ) -> Result<R, Error> {
        let timeout = self.inner.limits.idle_timeout;
        let answering = async {
            let mut answer = self.submit(operation, call)?;
            loop {
                let before = progress.steps();
                match tokio::time::timeout(timeout, &mut answer).await {
                    Ok(answered) => return self.answered(operation, answered),
                    Err(_) if before.is_some() && before == progress.steps() => {
                        return Err(self.end(operation, timeout));
                    }
                    Err(_) => {}
                }
            }
        };
        self.traced(operation, answering).await
    }

    /// A span of its own, where somebody wants traces.
    async fn traced<R>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<R, Error>>,
    ) -> Result<R, Error> {
        let span = trace::call(operation, self.inner.end.get());
        let called = call.instrument(span.clone()).await;
        trace::judge(&span, called.as_ref().err());
        called
    }

    fn submit<R: 'static>(
        &self,
        operation: &'static str,
        call: impl AsyncFnOnce(&Accessor<State>, &Exports) -> wasmtime::Result<R> + 'static,
    ) -> Result<oneshot::Receiver<wasmtime::Result<R>>, Error> {
        let (sender, answer) = oneshot::channel();
        let work: Work = Box::new(move |accessor, exports| {
            Box::pin(async move {
                // Nobody may be waiting any more.
                let _ = sender.send(call(accessor, exports).await);
            })
        });
        match self.inner.work.send(work) {
            Ok(()) => Ok(answer),
            Err(_) => Err(self.verdict(operation)),
        }
    }

    fn answered<R>(
        &self,
        operation: &'static str,
        answered: Result<wasmtime::Result<R>, oneshot::error::RecvError>,
    ) -> Result<R, Error> {
        match answered {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(trap)) => Err(judge(&trap, operation)),
            Err(_) => Err(self.verdict(operation)),
        }
    }

    /// Ends the instance because it kept the engine waiting.
    pub(crate) fn end(&self, operation: &'static str, waited: Duration) -> Error {
        self.inner.task.abort();
        let message = format!("the connector didn't go on within {waited:?}; it was ended");
        lost(Error::new(Code::TIMEOUT, operation, message))
    }

    /// Why the instance has ended, as a failure of `operation`.
    pub(crate) fn verdict(&self, operation: &'static str) -> Error {
        match &*self.inner.verdict.borrow() {
            Some(verdict) => Error { operation, ..verdict.clone() },
            None => lost(Error::new(Code::INTERNAL, operation, "the connector has ended")),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The life of a store: call after call, until the handle is gone or the guest is lost.
async fn live(
    mut store: Store<State>,
    exports: Exports,
    mut queue: mpsc::UnboundedReceiver<Work>,
    verdict: Rc<RefCell<Option<Error>>>,
) {
    let lived = store
        .run_concurrent(async |accessor| {
            while let Some(work) = queue.recv().await {
                work(accessor, &exports).await;
            }
        })
        .await;
    if let Err(trap) = lived {
        *verdict.borrow_mut() = Some(judge(&trap, "run"));
    }
}

fn judge(trap: &wasmtime::Error, operation: &'static str) -> Error {
    if let Some(limit) = trap.downcast_ref::<LimitExceeded>() {
        return lost(Error::new(Code::LIMIT, operation, limit.to_string()));
    }
    let is_full = matches!(trap.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full));
    if is_full || trap.root_cause().to_string().ends_with(HANDLE_LIMIT) {
        return lost(Error::new(Code::LIMIT, operation, "the connector holds more handles than it may"));
    }
    // The backtrace names the guest's functions; it's for its author, not for the report.
    tracing::debug!(operation, trap = format!("{trap:?}"), "connector trapped");
    let reason = match trap.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => trap.root_cause().to_string(),
    };
    lost(Error::new(Code::TRAP, operation, format!("the connector trapped: {reason}")))
}

fn lost(mut error: Error) -> Error {
    error.instance_lost = true;
    error
}
