//! Who works as an agent: a lock file for each, with the process and its pipeline. The lock is the
//! kernel's and ends with the process, so it's a heartbeat that can't be late; the file stays. In a fleet
//! the process says besides, every few seconds, that it's there.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
    path::PathBuf,
    process::Command,
};

use culvert_fleet::{Fleet, Seat as FleetSeat, Taken};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
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
/// What the seats of agents begin with, among a fleet's.
const AGENT: &str = "agent";
/// More than a process id and a pipeline's name; what else is in the file isn't ours.
const MAX_BYTES: u64 = 1024;
/// What an agent's pipeline is called while it waits for a task.
const WAITING: &str = "(waiting)";
/// Set for the run that an agent starts: the process that holds the seat for it.
const HOLDER: &str = "CULVERT_AGENT_HOLDER";
/// The file with a state folder's mark, which tells machines apart.
pub(crate) const INSTALLATION: &str = "installation";

/// The right to work as an agent; given back when it's dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    file: File,
    word: Word,
    fleet: Option<FleetSeat>,
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
    /// It takes tasks.
    pub(crate) serves: bool,
}

/// What is said in a seat.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Word {
    process: u32,
    pipeline: String,
    host: String,
    installation: String,
    is_busy: bool,
    serves: bool,
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
    held_here(agent, places)
}

/// The agents of a fleet that work on this pipeline.
///
/// # Errors
/// The fleet can't be reached.
pub(crate) fn working(fleet: &Fleet, pipeline: &str) -> Result<Vec<String>, Failure> {
    let sitting = fleet.all_sitting(AGENT).map_err(failure)?.into_iter();
    let words = sitting.map(|(agent, word)| (agent, Word::parse(&word)));
    Ok(words.filter(|(_, word)| word.is_busy && word.pipeline == pipeline).map(|(agent, _)| agent).collect())
}

fn held_here(agent: &str, places: &Places) -> Result<Option<Held>, Failure> {
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
    // Its journal tells whether it's busy.
    Held { host: None, is_busy: None, ..Word::parse(&text).held() }
}

/// The seat of an agent among a fleet's seats.
fn place(agent: &str) -> String {
    format!("{AGENT}.{agent}")
}

/// Makes a run one of the agent whose seat this process holds; that goes on holding it.
pub(crate) fn hand_down(command: &mut Command) {
    command.env(HOLDER, std::process::id().to_string());
}

/// Whether the process that started this one holds the seat for it. Ends with that process then.
pub(crate) fn is_handed_down() -> bool {
    let Some(holder) = std::env::var(HOLDER).ok().and_then(|text| text.parse::<i32>().ok()) else { return false };
    // Asked for before it's looked who the parent is: one that died in between is another by now.
    let is_bound = set_parent_process_death_signal(Some(Signal::TERM)).is_ok();
    is_bound && getppid().is_some_and(|parent| parent.as_raw_nonzero().get() == holder)
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
        let word = Word::of(pipeline, places)?;
        write(&mut file, &word).map_err(failed)?;
        let fleet = sit(agent, &word, places)?;
        Ok(Self { file, word, fleet })
    }

    /// The same for a process that takes tasks.
    ///
    /// # Errors
    /// Somebody else works as this agent.
    pub(crate) fn serve(agent: &str, places: &Places) -> Result<Self, Failure> {
        let mut seat = Self::take(agent, WAITING, places)?;
        seat.word.serves = true;
        seat.work_on(None)?;
        Ok(seat)
    }

    /// Says on which pipeline it works; none: it waits.
    ///
    /// # Errors
    /// The lock file can't be written.
    pub(crate) fn work_on(&mut self, pipeline: Option<&str>) -> Result<(), Failure> {
        self.word.pipeline = pipeline.unwrap_or(WAITING).to_owned();
        let agent = "this agent";
        write(&mut self.file, &self.word).map_err(|error| failed(agent, &error))?;
        self.tell(pipeline.is_some());
        Ok(())
    }

    /// Says in a fleet whether a round is under way.
    pub(crate) fn tell(&self, is_busy: bool) {
        if let Some(seat) = &self.fleet {
            seat.say(&Word { is_busy, ..self.word.clone() }.to_text());
        }
    }
}

/// Takes the seat in the fleet, if one was named. Who holds this machine's lock may take it from a process of
/// this machine: that one is dead.
fn sit(agent: &str, word: &Word, places: &Places) -> Result<Option<FleetSeat>, Failure> {
    let Some(fleet) = fleet(places)? else { return Ok(None) };
    let is_gone = |there: &str| Word::parse(there).installation == word.installation;
    match fleet.sit(&place(agent), &word.to_text(), is_gone).map_err(failure)? {
        Taken::Seat(seat) => Ok(Some(seat)),
        Taken::By(there) => Err(taken(agent, &Word::parse(&there).held())),
    }
}

fn write(file: &mut File, word: &Word) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(word.to_text().as_bytes())
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
    fn of(pipeline: &str, places: &Places) -> Result<Self, Failure> {
        Ok(Self {
            process: std::process::id(),
            pipeline: pipeline.to_owned(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            installation: mark(&folders::state(places)?, INSTALLATION)?,
            is_busy: false,
            serves: false,
            chance: seed(),
        })
    }

    /// Of what can't be read it's known that somebody said it.
    fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            process: 0,
            pipeline: String::new(),
            host: String::new(),
            installation: String::new(),
            is_busy: true,
            serves: false,
            chance: 0,
        })
    }

    fn to_text(&self) -> String {
        // Texts and numbers have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn held(self) -> Held {
        let Self { process, pipeline, host, is_busy, serves, .. } = self;
        Held { process, pipeline, host: Some(host), is_busy: Some(is_busy), serves }
    }
}
