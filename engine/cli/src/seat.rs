//! Who works as an agent: a lock file for each, with the process and its pipeline. The lock is the
//! kernel's and ends with the process, so it's a heartbeat that can't be late; the file stays. In a fleet
//! the process says besides, every few seconds, that it's there.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
    path::PathBuf,
};

use culvert_fleet::{Seat as FleetSeat, Taken};
use serde::{Deserialize, Serialize};

use crate::{
    args::Places,
    assembly::{mark, seed},
    exit::Failure,
    fleet::fleet,
    folders,
    inventory::failure,
};

/// The folder of all seats, in the state folder.
const AGENTS: &str = "agents";
/// More than a process id and a pipeline's name; what else is in the file isn't ours.
const MAX_BYTES: u64 = 256;
/// The file with a state folder's mark, which tells machines apart.
pub(crate) const INSTALLATION: &str = "installation";

/// The right to work as an agent; given back when it's dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _file: File,
    fleet: Option<(FleetSeat, Word)>,
}

/// Who holds a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) process: u32,
    pub(crate) pipeline: String,
    /// In a fleet.
    pub(crate) host: Option<String>,
    /// Whether it's in the middle of a round; none: its journal tells.
    pub(crate) is_busy: Option<bool>,
}

/// What is said in a seat of a fleet.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Word {
    process: u32,
    pipeline: String,
    host: String,
    installation: String,
    is_busy: bool,
    /// Tells two processes with one number apart.
    chance: u64,
}

/// Who works as this agent; none: nobody.
///
/// # Errors
/// The lock can't be looked at, or the fleet can't be reached.
pub(crate) fn held(agent: &str, places: &Places) -> Result<Option<Held>, Failure> {
    if let Some(fleet) = fleet(places)? {
        let word = fleet.sitting(&place(agent)).map_err(failure)?;
        return Ok(word.map(|word| Word::parse(&word).held()));
    }
    let path = path(agent, places)?;
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(agent, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read(&mut file))),
        Err(TryLockError::Error(error)) => Err(failed(agent, &error)),
    }
}

fn read(file: &mut File) -> Held {
    let mut text = String::new();
    // What can't be read is held all the same.
    let _ = file.rewind().and_then(|()| file.take(MAX_BYTES).read_to_string(&mut text));
    let (process, pipeline) = text.trim().split_once(' ').unwrap_or_default();
    Held { process: process.parse().unwrap_or_default(), pipeline: pipeline.to_owned(), host: None, is_busy: None }
}

/// The seat of an agent among a fleet's seats.
fn place(agent: &str) -> String {
    format!("agent.{agent}")
}

fn path(agent: &str, places: &Places) -> Result<PathBuf, Failure> {
    Ok(folders::state(places)?.join(AGENTS).join(format!("{agent}.lock")))
}

fn failed(agent: &str, error: &std::io::Error) -> Failure {
    Failure::could_not_go_on(format!("the agent {agent:?}: its lock file can't be used: {error}"))
}

// === impl Seat ===

impl Seat {
    /// Takes the seat of an agent for a pipeline.
    ///
    /// # Errors
    /// Somebody else works as this agent.
    pub(crate) fn take(agent: &str, pipeline: &str, places: &Places) -> Result<Self, Failure> {
        let path = path(agent, places)?;
        let failed = |error: std::io::Error| failed(agent, &error);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        // Not truncated: it may be another's, whose name is wanted.
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(taken(agent, &read(&mut file)));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{} {pipeline}", std::process::id())
        };
        write(&mut file).map_err(failed)?;
        Ok(Self { _file: file, fleet: sit(agent, pipeline, places)? })
    }

    /// Says in a fleet whether a round is under way.
    pub(crate) fn tell(&self, is_busy: bool) {
        if let Some((seat, word)) = &self.fleet {
            seat.say(&Word { is_busy, ..word.clone() }.to_text());
        }
    }
}

/// Takes the seat in the fleet, if one was named. Who holds this machine's lock may take it from a process of
/// this machine: that one is dead.
fn sit(agent: &str, pipeline: &str, places: &Places) -> Result<Option<(FleetSeat, Word)>, Failure> {
    let Some(fleet) = fleet(places)? else { return Ok(None) };
    let word = Word {
        process: std::process::id(),
        pipeline: pipeline.to_owned(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        installation: mark(&folders::state(places)?, INSTALLATION)?,
        is_busy: false,
        chance: seed(),
    };
    let is_gone = |there: &str| Word::parse(there).installation == word.installation;
    match fleet.sit(&place(agent), &word.to_text(), is_gone).map_err(failure)? {
        Taken::Seat(seat) => Ok(Some((seat, word))),
        Taken::By(there) => Err(taken(agent, &Word::parse(&there).held())),
    }
}

fn taken(agent: &str, held: &Held) -> Failure {
    let Held { process, pipeline, host, .. } = held;
    let place = host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
    Failure::usage(format!(
        "the agent {agent:?} is running the pipeline {pipeline:?} (process {process}{place}): wait until it's done, or \
         stop it"
    ))
}

// === impl Word ===

impl Word {
    /// Of what can't be read it's known that somebody said it.
    fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            process: 0,
            pipeline: String::new(),
            host: String::new(),
            installation: String::new(),
            is_busy: true,
            chance: 0,
        })
    }

    fn to_text(&self) -> String {
        // Texts and numbers have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn held(self) -> Held {
        let Self { process, pipeline, host, is_busy, .. } = self;
        Held { process, pipeline, host: Some(host), is_busy: Some(is_busy) }
    }
}
