//! What one server gave to resume its TLS sessions with, and whether anything of it is left. Knows
//! one server alone, that of a control connection and of its data connections.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio_rustls::rustls::{
    NamedGroup,
    client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
};

/// Most tickets of TLS 1.3 that are kept: a server gives one or two with each connection, of which
/// the next one uses one.
const MAX_TICKETS: usize = 8;

/// The sessions of one server, under whatever name it's called.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    lasting: Option<Tls12ClientSessionValue>,
    /// The oldest first. RFC 8446 (appendix C.4) wants each used once.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

// === impl Sessions ===

impl Sessions {
    /// Whether the next handshake can offer to resume.
    pub(super) fn has_any(&self) -> bool {
        let kept = self.kept();
        kept.lasting.is_some() || !kept.tickets.is_empty()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _name: ServerName<'static>, group: NamedGroup) {
        self.kept().group = Some(group);
    }

    fn kx_hint(&self, _name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept().group
    }

    fn set_tls12_session(&self, _name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.kept().lasting = Some(session);
    }

    fn tls12_session(&self, _name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept().lasting.clone()
    }

    fn remove_tls12_session(&self, _name: &ServerName<'static>) {
        self.kept().lasting = None;
    }

    fn insert_tls13_ticket(&self, _name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut kept = self.kept();
        if kept.tickets.len() == MAX_TICKETS {
            kept.tickets.pop_front();
        }
        kept.tickets.push_back(ticket);
    }

    /// The newest: it lasts longest.
    fn take_tls13_ticket(&self, _name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept().tickets.pop_back()
    }
}

/// Secrets don't show.
impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sessions").finish_non_exhaustive()
    }
}
