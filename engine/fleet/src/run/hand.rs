//! The messages of the pages that this process has in hand. The server hears of them every few seconds, so that
//! they go to nobody else; those that are left at the end go to others at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{AckKind, Message};
use tokio::{runtime::Handle, task::JoinHandle};

use super::ACK_WAIT;

/// How often the server hears of them: two words may be lost.
const BEAT: Duration = ACK_WAIT.checked_div(4).expect("not by zero");

type Messages = Arc<Mutex<HashMap<u64, Message>>>;

#[derive(Debug)]
pub(super) struct Held {
    messages: Messages,
    beating: JoinHandle<()>,
}

// === impl Held ===

impl Held {
    pub(super) fn new(handle: &Handle) -> Self {
        let messages = Messages::default();
        let beating = handle.spawn(beat(Arc::clone(&messages)));
        Self { messages, beating }
    }

    pub(super) fn get(&self, page: u64) -> Option<Message> {
        lock(&self.messages).get(&page).cloned()
    }

    pub(super) fn forget(&self, page: u64) {
        lock(&self.messages).remove(&page);
    }

    /// What is left.
    pub(super) fn all(&self) -> Vec<Message> {
        lock(&self.messages).drain().map(|(_, message)| message).collect()
    }

    /// For whoever holds a page later than this.
    pub(super) fn shared(&self) -> Sharer {
        Sharer(Arc::clone(&self.messages))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

/// Holds pages from the connection's thread.
pub(super) struct Sharer(Messages);

impl Sharer {
    /// Of a page that was held before, the newest message counts.
    pub(super) fn hold(&self, page: u64, message: Message) {
        lock(&self.0).insert(page, message);
    }
}

fn lock(messages: &Mutex<HashMap<u64, Message>>) -> MutexGuard<'_, HashMap<u64, Message>> {
    messages.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn beat(messages: Messages) {
    loop {
        tokio::time::sleep(BEAT).await;
        let held: Vec<_> = lock(&messages).values().cloned().collect();
        for message in held {
            // One that's lost is followed by others.
            let _ = message.ack_with(AckKind::Progress).await;
        }
    }
}
