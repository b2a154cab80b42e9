//! What the agents of a run ask of the fleet. Everything is done on the connection's thread, to its end, whether
//! the one who asked still waits or not.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{
    AckKind,
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
    stream::LastRawMessageErrorKind,
};
use async_trait::async_trait;
use culvert_flow::{
    error::{Code, Error},
    share::{Lead, Share, Span, Taken},
};
use futures_util::StreamExt;

use super::{FleetRun, RunRecord, delete_streams, lister_seat, subject};
use crate::{
    connection::{Fleet, failure},
    records::{read, swap},
    seat::Seat,
};

/// How long is waited for a page before it's looked whether the run is over.
const TAKE: Duration = Duration::from_secs(1);
/// How often is looked whether somebody has to list.
const LOOK: Duration = Duration::from_millis(500);
/// How long giving back what's left may take at the end.
const GIVE_BACK: Duration = Duration::from_secs(2);
/// What the server says where a stream has no place (error 10077).
const FULL: &str = "maximum messages exceeded";

/// What an agent that lists knows of it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    seat: Option<Seat>,
    record: Option<(RunRecord, u64)>,
    /// The number of the next page.
    next: u64,
}

// === impl FleetRun ===

impl FleetRun {
    fn listing(&self) -> MutexGuard<'_, Listing> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self, ending: String) -> Taken {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending.clone());
        Taken::Over(ending)
    }

    /// How the run ended; none: it's under way.
    async fn look(&self) -> Result<Option<String>, Error> {
        let (store, key, id) = (self.fleet.records().clone(), self.key.clone(), self.id.clone());
        self.fleet.on(async move { ended(read(&store, &key).await?, &id) }).await
    }

    /// Changes the record, as long as this agent lists. A change that's there already isn't made again.
    async fn change(&self, change: impl Fn(&mut RunRecord)) -> Result<(), Error> {
        loop {
            let Some((record, revision)) = self.listing().record.clone() else { return Err(taken_over()) };
            let mut next = record.clone();
            change(&mut next);
            let (text, before) = (next.to_text()?, record.to_text()?);
            if text == before {
                return Ok(());
            }
            let (store, key) = (self.fleet.records().clone(), self.key.clone());
            let written = self.fleet.on(async move {
                match swap(&store, &key, revision, text).await? {
                    Some(revision) => Ok(Ok(revision)),
                    // Somebody else has written there, or this very change was, and nobody heard so.
                    None => Ok(Err(read(&store, &key).await?)),
                }
            });
            match written.await? {
                Ok(revision) => {
                    self.listing().record = Some((next, revision));
                    return Ok(());
                }
                Err(found) => self.listing().record = self.still_listed_by_this(found)?,
            }
        }
    }

    /// The record as it is; an error if another agent lists, who isn't disturbed.
    fn still_listed_by_this(&self, found: Option<(String, u64)>) -> Result<Option<(RunRecord, u64)>, Error> {
        let found =
            found.map(|(text, revision)| RunRecord::parse(&text).map(|record| (record, revision))).transpose()?;
        let ours =
            found.filter(|(it, _)| it.id == self.id && it.lister.as_ref() == Some(&self.me) && it.ended.is_none());
        if ours.is_none() {
            *self.listing() = Listing::default();
            return Err(taken_over());
        }
        Ok(ours)
    }

    async fn tell(&self, page: u64, results: Vec<u8>) -> Result<(), Error> {
        let mut hasher = DefaultHasher::new();
        results.hash(&mut hasher);
        // Told again, it's the same.
        let id = format!("{page}.{}.{:x}", self.me, hasher.finish());
        let (fleet, subject) = (self.fleet.clone(), subject(&self.id, "results"));
        self.fleet.on(async move { publish(&fleet, subject, id, results).await }).await
    }
}

/// Puts a message into a stream, once for an id.
async fn publish(fleet: &Fleet, subject: String, id: String, payload: Vec<u8>) -> Result<(), Error> {
    let message = PublishMessage::build().payload(payload.into()).message_id(id);
    let sent = fleet.jetstream().send_publish(subject, message).await.map_err(|error| unpublished(&error))?;
    sent.await.map(|_| ()).map_err(|error| unpublished(&error))
}

fn unpublished(error: &PublishError) -> Error {
    let code = match error.kind() {
        PublishErrorKind::StreamNotFound => Code::NOT_FOUND,
        PublishErrorKind::MaxPayloadExceeded => Code::TOO_LARGE,
        _ if error.to_string().contains(FULL) => Code::CROWDED,
        _ => Code::UNAVAILABLE,
    };
    failure(code, error)
}

fn taken_over() -> Error {
    failure(Code::IN_USE, "another agent lists by now")
}

/// How the run of this id ended; none: it's under way.
fn ended(found: Option<(String, u64)>, id: &str) -> Result<Option<String>, Error> {
    let Some((text, _)) = found else { return Ok(Some(lost())) };
    let record = RunRecord::parse(&text)?;
    Ok(if record.id == id { record.ended } else { Some(lost()) })
}

/// Nobody knows any more how it ended.
fn lost() -> String {
    "{}".to_owned()
}

#[async_trait]
impl Share for FleetRun {
    async fn take(&self) -> Result<Taken, Error> {
        if let Some(ending) = self.ending() {
            return Ok(Taken::Over(ending));
        }
        let (consumer, held) = (self.consumer.clone(), self.held.shared());
        let taken = self.fleet.on(async move {
            let unavailable = |error: String| failure(Code::UNAVAILABLE, error);
            let mut messages = consumer
                .batch()
                .max_messages(1)
                .expires(TAKE)
                .messages()
                .await
                .map_err(|it| unavailable(it.to_string()))?;
            let Some(message) = messages.next().await else { return Ok(None) };
            let message = message.map_err(|error| unavailable(error.to_string()))?;
            let info = message.info().map_err(|error| unavailable(error.to_string()))?;
            let (number, again) = (info.stream_sequence, info.delivered > 1);
            let page = message.payload.to_vec();
            held.hold(number, message);
            Ok(Some(Taken::Page { number, again, page }))
        });
        // Where the streams are gone, the run is over.
        match taken.await {
            Ok(Some(page)) => Ok(page),
            taken => match self.look().await? {
                Some(ending) => Ok(self.over(ending)),
                None => taken.map(|_| Taken::Nothing),
            },
        }
    }

    async fn done(&self, page: u64, results: Vec<u8>) -> Result<(), Error> {
        self.tell(page, results).await?;
        let Some(message) = self.held.get(page) else { return Ok(()) };
        let acked =
            self.fleet.on(async move { message.double_ack().await.map_err(|error| failure(Code::UNAVAILABLE, error)) });
        acked.await?;
        self.held.forget(page);
        Ok(())
    }

    async fn give_back(&self, page: u64, results: Vec<u8>) -> Result<(), Error> {
        self.tell(page, results).await?;
        let Some(message) = self.held.get(page) else { return Ok(()) };
        self.held.forget(page);
        let given = self.fleet.on(async move {
            message.double_ack_with(AckKind::Nak(None)).await.map_err(|error| failure(Code::UNAVAILABLE, error))
        });
        given.await
    }

    async fn lead(&self) -> Result<Option<Lead>, Error> {
        *self.listing() = Listing::default();
        let pipeline = self.key.split_once('.').map_or("", |(_, pipeline)| pipeline);
        loop {
            if self.ending().is_some() || self.look().await?.is_some() {
                return Ok(None);
            }
            let (fleet, seat, me) = (self.fleet.clone(), lister_seat(pipeline), self.me.clone());
            let seat = self.fleet.on(async move { fleet.sit_if_free(&seat, &me).await }).await?;
            if let Some(seat) = seat {
                self.listing().seat = Some(seat);
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let (store, key, me, id) = (self.fleet.records().clone(), self.key.clone(), self.me.clone(), self.id.clone());
        let taken = self.fleet.on(async move {
            loop {
                let Some((text, revision)) = read(&store, &key).await? else { return Ok(None) };
                let mut record = RunRecord::parse(&text)?;
                if record.id != id || record.ended.is_some() {
                    return Ok(None);
                }
                record.lister = Some(me.clone());
                if let Some(revision) = swap(&store, &key, revision, record.to_text()?).await? {
                    return Ok(Some((record, revision)));
                }
            }
        });
        let Some((record, revision)) = taken.await? else { return Ok(None) };
        let last = (record.page > 0).then(|| record.span());
        let lead = Lead { last, listed: record.listed };
        let mut listing = self.listing();
        // What was offered last is offered again, unless everything was.
        listing.next = if record.page == 0 || record.listed { record.page + 1 } else { record.page };
        listing.record = Some((record, revision));
        Ok(Some(lead))
    }

    async fn offer(&self, page: Vec<u8>, span: &Span) -> Result<(), Error> {
        let number = self.listing().next;
        self.change(|record| {
            record.page = number;
            (record.after, record.until) = (span.after.clone(), span.until.clone());
        })
        .await?;
        let (fleet, subject) = (self.fleet.clone(), subject(&self.id, "pages"));
        self.fleet.on(async move { publish(&fleet, subject, format!("page.{number}"), page).await }).await?;
        self.listing().next = number + 1;
        Ok(())
    }

    async fn skip_last(&self) {
        let mut listing = self.listing();
        listing.next = listing.record.as_ref().map_or(1, |(record, _)| record.page + 1);
    }

    async fn listed(&self) -> Result<(), Error> {
        self.change(|record| record.listed = true).await
    }

    async fn result(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        let results = self.results.clone();
        self.fleet
            .on(async move {
                match results.get_raw_message(number).await {
                    Ok(message) => Ok(Some(message.payload.to_vec())),
                    Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                    Err(error) => Err(failure(Code::UNAVAILABLE, error)),
                }
            })
            .await
    }

    async fn outstanding(&self) -> Result<u64, Error> {
        let pages = self.pages.clone();
        let info =
            self.fleet.on(async move { pages.get_info().await.map_err(|error| failure(Code::UNAVAILABLE, error)) });
        Ok(info.await?.state.messages)
    }

    async fn end(&self, ending: String) -> Result<(), Error> {
        self.change(|record| record.ended = Some(ending.clone())).await?;
        self.over(ending);
        let (fleet, id) = (self.fleet.clone(), self.id.clone());
        self.fleet
            .on(async move {
                delete_streams(&fleet, &id).await;
                Ok(())
            })
            .await
    }
}

impl Drop for FleetRun {
    fn drop(&mut self) {
        let left = self.held.all();
        if left.is_empty() || self.ending().is_some() {
            return;
        }
        // Where this fails, they go to others a little later.
        let _ = self.fleet.wait(async move {
            let given = async {
                for message in left {
                    let _ = message.double_ack_with(AckKind::Nak(None)).await;
                }
            };
            let _ = tokio::time::timeout(GIVE_BACK, given).await;
            Ok(())
        });
    }
}
