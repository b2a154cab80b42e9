//! The one control connection of an instance: made when it's first needed, kept, made again when it
//! has died, and held by one operation at a time. Remembers nothing else.

use std::sync::Arc;

use culvert_sdk::types::Error;
use futures_util::lock::{Mutex, OwnedMutexGuard};

use crate::{config::Config, control::Control, path::Root};

/// An instance's way to its server.
pub(crate) struct Session {
    pub(crate) config: Config,
    control: Arc<Mutex<Option<Control>>>,
}

/// The control connection, for as long as an operation needs it. One that broke is dropped with it.
pub(crate) struct Held {
    place: OwnedMutexGuard<Option<Control>>,
    pub(crate) root: Root,
}

// === impl Session ===

impl Session {
    #[allow(clippy::arc_with_non_send_sync, reason = "the owned guard asks for an Arc; a guest has one thread")]
    pub(crate) fn new(config: Config) -> Self {
        Self { config, control: Arc::new(Mutex::new(None)) }
    }

    /// Does `work` on the control connection. Where a connection that was kept turns out to have
    /// died meanwhile, does it again on a fresh one: nothing of it had reached the server.
    ///
    /// # Errors
    /// Those of the login and of `work`.
    pub(crate) async fn with<T>(
        &self,
        work: impl AsyncFn(&mut Control, &Root) -> Result<T, Error>,
    ) -> Result<(T, Held), Error> {
        let mut kept = true;
        while kept {
            let mut held;
            (held, kept) = self.hold().await?;
            let Held { place, root } = &mut held;
            // `hold` has put it there.
            let Some(control) = place.as_mut() else { continue };
            control.begin();
            match work(control, root).await {
                Ok(value) => return Ok((value, held)),
                Err(_) if kept && control.was_dead() => {}
                Err(error) => return Err(error),
            }
        }
        Err(culvert_sdk::error::internal("a connection was lost that was never made"))
    }

    /// The same for work that leaves nothing going on.
    ///
    /// # Errors
    /// Those of the login and of `work`.
    pub(crate) async fn run<T>(&self, work: impl AsyncFn(&mut Control, &Root) -> Result<T, Error>) -> Result<T, Error> {
        self.with(work).await.map(|(value, _)| value)
    }

    /// The connection, and whether it's a kept one.
    async fn hold(&self) -> Result<(Held, bool), Error> {
        let mut place = Arc::clone(&self.control).lock_owned().await;
        let kept = place.is_some();
        let control = match place.take() {
            Some(control) => control,
            None => Control::connect(&self.config).await?,
        };
        let root = Root::new(&self.config.path, &control.home, self.config.encoding)?;
        *place = Some(control);
        Ok((Held { place, root }, kept))
    }
}

// === impl Held ===

impl Held {
    /// The connection itself; none once it broke.
    pub(crate) fn control(&mut self) -> Option<&mut Control> {
        self.place.as_mut()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.place.as_ref().is_some_and(Control::is_broken) {
            *self.place = None;
        }
    }
}
