//! Who is there: a word in a bucket whose words are forgotten after a while, said again and again by whoever
//! sits there. Two that are told apart by what they say first never sit in one seat as long as the server
//! hears the first. Decides nothing about what is done there.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::jetstream::kv::Store;
use culvert_flow::error::Error;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    connection::{Fleet, SEAT_AGE},
    records::{create, delete, names, read, swap},
};

/// How often the word is said.
const BEAT: Duration = SEAT_AGE.checked_div(3).expect("not by zero");

/// A seat that is taken; given back when it's dropped.
#[derive(Debug)]
pub struct Seat {
    fleet: Fleet,
    key: String,
    said: Arc<Mutex<Said>>,
    beating: JoinHandle<()>,
}

#[derive(Debug)]
struct Said {
    word: String,
    /// None: nobody hears it.
    revision: Option<u64>,
}

/// Whether a seat was free.
#[derive(Debug)]
pub enum Taken {
    Seat(Seat),
    /// What is said by whoever sits there.
    By(String),
}

// === impl Fleet ===

impl Fleet {
    /// Takes a seat, also from somebody of whom `is_gone` says so: by the word that was said last.
    ///
    /// # Errors
    /// The fleet can't be reached.
    pub fn sit(&self, key: &str, word: &str, is_gone: impl Fn(&str) -> bool) -> Result<Taken, Error> {
        loop {
            let (store, place, said) = (self.seats().clone(), key.to_owned(), word.to_owned());
            let found = self.wait(async move {
                match create(&store, &place, said).await? {
                    Some(revision) => Ok(Ok(revision)),
                    None => Ok(Err(read(&store, &place).await?)),
                }
            })?;
            let revision = match found {
                Ok(revision) => Some(revision),
                Err(Some((sitting, revision))) if is_gone(&sitting) => {
                    let (store, place, said) = (self.seats().clone(), key.to_owned(), word.to_owned());
                    self.wait(async move { swap(&store, &place, revision, said).await })?
                }
                Err(Some((sitting, _))) => return Ok(Taken::By(sitting)),
                // It was given back in between.
                Err(None) => None,
            };
            if let Some(revision) = revision {
                return Ok(Taken::Seat(Seat::new(self.clone(), key.to_owned(), word.to_owned(), revision)));
            }
        }
    }

    /// Takes a seat that's free; none if it isn't. For the connection's own thread.
    pub(crate) async fn sit_if_free(&self, key: &str, word: &str) -> Result<Option<Seat>, Error> {
        let revision = create(self.seats(), key, word.to_owned()).await?;
        Ok(revision.map(|revision| Seat::new(self.clone(), key.to_owned(), word.to_owned(), revision)))
    }

    /// What is said by whoever sits there; none: nobody does.
    ///
    /// # Errors
    /// The fleet can't be reached.
    pub fn sitting(&self, key: &str) -> Result<Option<String>, Error> {
        let (store, key) = (self.seats().clone(), key.to_owned());
        Ok(self.wait(async move { read(&store, &key).await })?.map(|(word, _)| word))
    }

    /// The taken seats below a word, each with what is said there.
    ///
    /// # Errors
    /// The fleet can't be reached.
    pub fn all_sitting(&self, below: &str) -> Result<Vec<(String, String)>, Error> {
        let (store, below) = (self.seats().clone(), below.to_owned());
        self.wait(async move {
            let mut all = Vec::new();
            for name in names(&store, &below).await? {
                let found = read(&store, &format!("{below}.{name}")).await?;
                all.extend(found.map(|(word, _)| (name, word)));
            }
            Ok(all)
        })
    }
}

// === impl Seat ===

impl Seat {
    fn new(fleet: Fleet, key: String, word: String, revision: u64) -> Self {
        let said = Arc::new(Mutex::new(Said { word, revision: Some(revision) }));
        let beating = fleet.handle().spawn(beat(fleet.seats().clone(), key.clone(), Arc::clone(&said)));
        Self { fleet, key, said, beating }
    }

    /// Says another word from now on.
    pub fn say(&self, word: &str) {
        word.clone_into(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner).word);
    }

    /// Whether the server has heard the last word, and from nobody else another one.
    pub fn is_held(&self) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).revision.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.beating.abort();
        let revision = self.said.lock().unwrap_or_else(PoisonError::into_inner).revision;
        let (store, key) = (self.fleet.seats().clone(), self.key.clone());
        let give_back = revision.map(|revision| async move { delete(&store, &key, revision).await });
        // Where this fails, the word is forgotten by itself. The connection's own thread can't wait for itself.
        match give_back {
            Some(give_back) if Handle::try_current().is_ok_and(|here| here.id() == self.fleet.handle().id()) => {
                self.fleet.handle().spawn(give_back);
            }
            Some(give_back) => drop(self.fleet.wait(give_back)),
            None => {}
        }
    }
}

async fn beat(store: Store, key: String, said: Arc<Mutex<Said>>) {
    let mut before = said.lock().unwrap_or_else(PoisonError::into_inner).word.clone();
    loop {
        tokio::time::sleep(BEAT).await;
        let (word, revision) = {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            (said.word.clone(), said.revision)
        };
        let revision = match revision {
            Some(revision) => match swap(&store, &key, revision, word.clone()).await {
                // Nobody knows whether it was heard; the next one will tell.
                Err(_) => Some(revision),
                Ok(Some(revision)) => Some(revision),
                Ok(None) => match read(&store, &key).await {
                    Ok(Some((there, revision))) if there == word || there == before => Some(revision),
                    Err(_) => Some(revision),
                    Ok(_) => {
                        tracing::warn!(seat = key, "a seat of the fleet was lost: its word came too late");
                        None
                    }
                },
            },
            // Free again, perhaps.
            None => create(&store, &key, word.clone()).await.ok().flatten(),
        };
        before = word;
        said.lock().unwrap_or_else(PoisonError::into_inner).revision = revision;
    }
}
