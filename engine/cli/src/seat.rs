//! Who works as an agent: a lock file for each, with the process and its pipeline. The lock is the
//! kernel's and ends with the process, so it's a heartbeat that can't be late; the file stays.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
    path::PathBuf,
};

use crate::{args::Places, exit::Failure, folders};

/// The folder of all seats, in the state folder.
const AGENTS: &str = "agents";
/// More than a process id and a pipeline's name; what else is in the file isn't ours.
const MAX_BYTES: u64 = 256;

/// The right to work as an agent; given back when it's dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _file: File,
}

/// Who holds a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) process: u32,
    pub(crate) pipeline: String,
}

/// Who works as this agent; none: nobody.
///
/// # Errors
/// The lock can't be looked at.
pub(crate) fn held(agent: &str, places: &Places) -> Result<Option<Held>, Failure> {
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
    Held { process: process.parse().unwrap_or_default(), pipeline: pipeline.to_owned() }
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
                let Held { process, pipeline } = read(&mut file);
                return Err(Failure::usage(format!(
                    "the agent {agent:?} is running the pipeline {pipeline:?} (process {process}): wait until it's \
                     done, or stop it"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{} {pipeline}", std::process::id())
        };
        write(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
