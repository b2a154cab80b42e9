//! A run that several agents share: one record with how far its listing is, a stream of pages that are worked
//! off, a stream of results. Knows nothing of what pages and results say.
//!
//! The record is changed by compare-and-swap alone, so an agent that lists and was taken over finds that out
//! before it offers anything. A page's number is its message's id, so what is offered again after a takeover is
//! in the stream once.

mod hand;
mod share;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::jetstream::{
    consumer::{AckPolicy, Consumer, pull},
    stream::{Config, DiscardPolicy, RetentionPolicy, Stream},
};
use culvert_flow::{
    error::{Code, Error},
    share::Span,
};
use serde::{Deserialize, Serialize};

use self::{hand::Held, share::Listing};
use crate::{
    connection::{Fleet, failure},
    records::{create, names, read, swap},
};

/// Most pages that wait to be taken: more than any agents have in hand, some 100 MB at most.
const WAITING: i64 = 1024;
/// A page of which nothing was heard for so long goes to another agent.
const ACK_WAIT: Duration = Duration::from_secs(15);
/// How long the server knows the numbers of pages: a takeover takes seconds.
const DUPLICATES: Duration = Duration::from_secs(600);
/// What all agents of a run take their pages through.
const CONSUMER: &str = "agents";
/// The records of runs, in the bucket of all records.
const RUNS: &str = "run";

/// What all agents of a run must have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What tells source, sink and selection apart.
    pub identity: String,
    /// The connectors' builds: digest by what the pipeline calls them.
    pub builds: BTreeMap<String, String>,
}

/// A run as it's kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    pub id: String,
    /// The mark on what its agents leave unfinished at the sink.
    pub owner: String,
    pub terms: Terms,
    /// Milliseconds since 1970, by the clock of the agent that began it.
    pub began: u64,
    /// The page that was offered last, or is about to be.
    pub page: u64,
    after: Option<String>,
    until: Option<String>,
    /// Everything has been offered.
    pub listed: bool,
    /// Who lists.
    pub lister: Option<String>,
    /// How it ended; none: it's under way.
    pub ended: Option<String>,
    /// The time of its task's start that it was begun for, counted; none: for no task.
    #[serde(default)]
    pub asked: Option<u64>,
}

/// Who joins a run.
#[derive(Debug, Clone)]
pub struct Joiner {
    /// What no other process is called.
    pub me: String,
    /// This machine's mark, for a first run of the pipeline.
    pub owner: String,
    /// For which time of its task's start, if for a task's.
    pub asked: Option<u64>,
}

/// A run that this process works on.
pub struct FleetRun {
    fleet: Fleet,
    key: String,
    id: String,
    owner: String,
    /// What this process is called.
    me: String,
    results: Stream<()>,
    pages: Stream<()>,
    consumer: Arc<Consumer<pull::Config>>,
    held: Held,
    listing: Mutex<Listing>,
    ending: Mutex<Option<String>>,
}

// === impl Fleet ===

impl Fleet {
    /// Joins the run of this pipeline that's under way, or begins one; none where the one that was asked for is over.
    ///
    /// # Errors
    /// `invalid-config` if the run under way is one of another pipeline of this name, or of other connectors.
    pub fn join(&self, pipeline: &str, terms: Terms, joiner: Joiner) -> Result<Option<FleetRun>, Error> {
        let (fleet, key) = (self.clone(), format!("{RUNS}.{pipeline}"));
        self.wait(async move {
            let Some(record) = record(&fleet, &key, &terms, &joiner).await? else { return Ok(None) };
            let me = joiner.me;
            let RunRecord { id, owner, .. } = record;
            let pages = stream(&fleet, pages_config(&fleet, &id)).await?;
            let results = stream(&fleet, results_config(&fleet, &id)).await?;
            let consumer = pages.get_or_create_consumer(CONSUMER, consumer_config()).await;
            let consumer = Arc::new(consumer.map_err(|error| failure(Code::UNAVAILABLE, error))?);
            let held = Held::new(fleet.handle());
            let (listing, ending) = (Mutex::default(), Mutex::default());
            Ok(Some(FleetRun { fleet, key, id, owner, me, results, pages, consumer, held, listing, ending }))
        })
    }

    /// Forgets a run that's under way, and what was told of it; false if there is none.
    ///
    /// # Errors
    /// `in-use` if an agent lists for it: somebody works on it.
    pub fn abandon(&self, pipeline: &str) -> Result<bool, Error> {
        if let Some(agent) = self.sitting(&lister_seat(pipeline))? {
            return Err(failure(
                Code::IN_USE,
                format!("the run of {pipeline:?} is worked on by {agent}: end it there first"),
            ));
        }
        let (fleet, key) = (self.clone(), format!("{RUNS}.{pipeline}"));
        self.wait(async move {
            let Some((text, revision)) = read(fleet.records(), &key).await? else { return Ok(false) };
            let record = RunRecord::parse(&text)?;
            if record.ended.is_some() {
                return Ok(false);
            }
            delete_streams(&fleet, &record.id).await;
            let ended = RunRecord { ended: Some("{\"failure\": \"it was abandoned\"}".to_owned()), ..record };
            Ok(swap(fleet.records(), &key, revision, ended.to_text()?).await?.is_some())
        })
    }

    /// The last run of a pipeline.
    ///
    /// # Errors
    /// The fleet can't be reached.
    pub fn run(&self, pipeline: &str) -> Result<Option<RunRecord>, Error> {
        let (store, key) = (self.records().clone(), format!("{RUNS}.{pipeline}"));
        let found = self.wait(async move { read(&store, &key).await })?;
        found.map(|(text, _)| RunRecord::parse(&text)).transpose()
    }

    /// All runs that were begun, the last one of each pipeline.
    ///
    /// # Errors
    /// The fleet can't be reached.
    pub fn runs(&self) -> Result<Vec<(String, RunRecord)>, Error> {
        let store = self.records().clone();
        self.wait(async move {
            let mut all = Vec::new();
            for name in names(&store, RUNS).await? {
                if let Some((text, _)) = read(&store, &format!("{RUNS}.{name}")).await? {
                    all.push((name, RunRecord::parse(&text)?));
                }
            }
            Ok(all)
        })
    }
}

/// The run under way, or a new one.
async fn record(fleet: &Fleet, key: &str, terms: &Terms, joiner: &Joiner) -> Result<Option<RunRecord>, Error> {
    loop {
        let found = match read(fleet.records(), key).await? {
            Some((text, revision)) => Some((RunRecord::parse(&text)?, revision)),
            None => None,
        };
        let (owner, before, revision) = match found {
            Some((record, revision)) if record.ended.is_none() => {
                let record = record.joined_by(terms)?;
                if joiner.asked.is_none() || record.asked == joiner.asked {
                    return Ok(Some(record));
                }
                // What was begun for an earlier start is gone on with for this one.
                let record = RunRecord { asked: joiner.asked, ..record };
                if swap(fleet.records(), key, revision, record.to_text()?).await?.is_some() {
                    return Ok(Some(record));
                }
                continue;
            }
            Some((record, _)) if joiner.asked.is_some() && record.asked == joiner.asked => return Ok(None),
            Some((record, revision)) => (record.owner, record.asked, Some(revision)),
            None => (joiner.owner.clone(), None, None),
        };
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = u64::try_from(began.as_millis()).unwrap_or_default();
        let record = RunRecord {
            // The server's clock and a number that never comes again.
            id: format!("{began:x}-{:x}", revision.unwrap_or_default()),
            owner,
            terms: terms.clone(),
            began,
            page: 0,
            after: None,
            until: None,
            listed: false,
            lister: None,
            ended: None,
            // A run for no task leaves the task's as it was.
            asked: joiner.asked.or(before),
        };
        let written = match revision {
            Some(revision) => swap(fleet.records(), key, revision, record.to_text()?).await?,
            None => create(fleet.records(), key, record.to_text()?).await?,
        };
        if written.is_some() {
            return Ok(Some(record));
        }
    }
}

fn lister_seat(pipeline: &str) -> String {
    format!("lister.{pipeline}")
}

fn stream_name(id: &str, what: &str) -> String {
    format!("culvert-run-{id}-{what}")
}

fn subject(id: &str, what: &str) -> String {
    format!("culvert.run.{id}.{what}")
}

fn pages_config(fleet: &Fleet, id: &str) -> Config {
    Config {
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: WAITING,
        duplicate_window: DUPLICATES,
        ..results_config(fleet, id).named(stream_name(id, "pages"), subject(id, "pages"))
    }
}

fn results_config(fleet: &Fleet, id: &str) -> Config {
    Config {
        description: Some("Culvert: a run under way".to_owned()),
        num_replicas: fleet.replicas(),
        duplicate_window: DUPLICATES,
        ..Config::default()
    }
    .named(stream_name(id, "results"), subject(id, "results"))
}

fn consumer_config() -> pull::Config {
    pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: WAITING,
        ..pull::Config::default()
    }
}

async fn stream(fleet: &Fleet, config: Config) -> Result<Stream<()>, Error> {
    let name = config.name.clone();
    let failed = |error: String| failure(Code::UNAVAILABLE, format!("the stream {name:?} can't be opened: {error}"));
    let made = Box::pin(fleet.jetstream().get_or_create_stream(config)).await;
    made.map_err(|error| failed(error.to_string()))?;
    fleet.jetstream().get_stream_no_info(&name).await.map_err(|error| failed(error.to_string()))
}

async fn delete_streams(fleet: &Fleet, id: &str) {
    for what in ["pages", "results"] {
        if let Err(error) = fleet.jetstream().delete_stream(stream_name(id, what)).await {
            tracing::debug!(%error, what, "a stream of a run that's over can't be deleted");
        }
    }
}

trait Named {
    fn named(self, name: String, subject: String) -> Self;
}

impl Named for Config {
    fn named(self, name: String, subject: String) -> Self {
        Self { name, subjects: vec![subject], ..self }
    }
}

// === impl RunRecord ===

impl RunRecord {
    fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| failure(Code::CORRUPT, format!("a run's record: {error}")))
    }

    fn to_text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| failure(Code::INTERNAL, error))
    }

    fn span(&self) -> Span {
        Span { after: self.after.clone(), until: self.until.clone() }
    }

    fn joined_by(self, terms: &Terms) -> Result<Self, Error> {
        let refused = |message: String| Err(Error::new(Code::INVALID_CONFIG, "fleet", message));
        for (connector, ours) in &terms.builds {
            let theirs = self.terms.builds.get(connector).map_or("none", |digest| digest);
            if theirs != ours {
                return refused(format!(
                    "this machine's build of the connector {connector:?} is sha256 {ours}, and the run under way is of {theirs}: \
                     nothing was moved; install the same engine and connectors on all machines of the fleet"
                ));
            }
        }
        if self.terms.identity != terms.identity {
            return refused(
                "the run under way is of a pipeline of this name with another source, sink or selection: nothing was moved; let \
                 all machines have the same file, wait until the run is over, or give the pipeline another name"
                    .to_owned(),
            );
        }
        Ok(self)
    }
}

// === impl FleetRun ===

impl FleetRun {
    /// Tells runs apart.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The mark on what its agents leave unfinished at the sink.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// How it ended, once it's known.
    pub fn ending(&self) -> Option<String> {
        self.ending.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for FleetRun {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FleetRun").field("id", &self.id).finish_non_exhaustive()
    }
}
