//! The one control connection of an instance: made when it's first needed, kept, made again when it
//! has died or no data connection can resume its TLS session any more, and held by one operation at
//! a time. Remembers nothing else but how TLS sessions last with this server.

use std::{cell::Cell, sync::Arc};

use culvert_sdk::types::Error;
use futures_util::lock::{Mutex, OwnedMutexGuard};

use crate::{
    config::{Config, TlsVersion},
    control::Control,
    path::Root,
};

/// An instance's way to its server.
pub(crate) struct Session {
    pub(crate) config: Config,
    control: Arc<Mutex<Option<Control>>>,
    tickets: Cell<Tickets>,
}

/// Whether the server gives TLS 1.3's tickets as fast as data connections use them up: ProFTPD gives
/// two with the control connection and none with an upload.
///
/// ## Enough => (Scarce | Needed)
/// ## Scarce => Needed
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tickets {
    /// As far as is known.
    Enough,
    /// They ran out: TLS 1.2 is spoken, whose sessions are resumed any number of times.
    Scarce,
    /// They ran out, and 1.2 isn't to be had: a fresh control connection brings fresh ones.
    Needed,
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
        Self { config, control: Arc::new(Mutex::new(None)), tickets: Cell::new(Tickets::Enough) }
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
        if place.as_ref().is_some_and(Control::is_spent)
            && let Some(control) = place.take()
        {
            control.leave().await;
            if self.tickets.get() == Tickets::Enough {
                let is_granted = self.config.tls_min == TlsVersion::Tls12;
                self.tickets.set(if is_granted { Tickets::Scarce } else { Tickets::Needed });
            }
        }
        let kept = place.is_some();
        let control = match place.take() {
            Some(control) => control,
            None => self.connect().await?,
        };
        let root = Root::new(&self.config.path, &control.home, self.config.encoding)?;
        *place = Some(control);
        Ok((Held { place, root }, kept))
    }

    async fn connect(&self) -> Result<Control, Error> {
        if self.tickets.get() != Tickets::Scarce {
            return Control::connect(&self.config, self.config.tls_max).await;
        }
        match Control::connect(&self.config, TlsVersion::Tls12).await {
            // Perhaps a server that speaks nothing but 1.3.
            Err(error) if matches!(error.code.as_str(), "protocol" | "connection-failed") => {}
            connected => return connected,
        }
        let control = Control::connect(&self.config, self.config.tls_max).await?;
        self.tickets.set(Tickets::Needed);
        Ok(control)
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
