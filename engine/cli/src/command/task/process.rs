//! The process of a task: begun as a group of its own, so that it outlives the terminal, and ended by
//! SIGTERM, which ends a run in order. Waits until it's so.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use culvert_manifest::Lock;
use rustix::process::{Pid, Signal, kill_process};

use crate::{args::Places, exit::Failure, fleet, folders, inventory::tasks::Task};

/// The folder of the tasks' output, in the state folder.
const TASKS: &str = "tasks";
/// How often is looked whether it's so by now.
const LOOK: Duration = Duration::from_millis(20);
/// A run that can begin holds its journal by then.
const BEGIN: Duration = Duration::from_secs(30);
/// A run ends in order within 5 s; a machine that's busy takes longer.
const END: Duration = Duration::from_secs(30);
/// What is shown of a log whose run didn't begin, in bytes.
const SHOWN: usize = 2000;

/// Starts a run of the task, and waits until it holds its journal or has ended.
///
/// # Errors
/// It couldn't begin; what it said is in the message.
pub(super) fn spawn(name: &str, task: &Task, places: &Places) -> Result<u32, Failure> {
    let failed =
        |error: std::io::Error| Failure::could_not_go_on(format!("the task {name:?} can't be started: {error}"));
    let (mut command, log) = command(name, task, task.agent.as_deref(), places)?;
    let mut child = command.spawn().map_err(failed)?;
    let begin = Instant::now();
    loop {
        match child.try_wait().map_err(failed)? {
            // Some are done before anybody looks.
            Some(status) if status.code().is_some_and(|code| code == 0 || code == 2) => return Ok(child.id()),
            Some(status) => {
                let said = fs::read_to_string(&log).unwrap_or_default();
                let tail: String = said.chars().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev().collect();
                return Err(Failure::could_not_go_on(format!(
                    "the run of {name:?} ended at once ({status}):\n{}",
                    tail.trim()
                )));
            }
            None if task.standing(places)?.process == Some(child.id()) => return Ok(child.id()),
            None if begin.elapsed() > BEGIN => {
                let message =
                    format!("the run of {name:?} (process {}) hasn't begun; its log is {}", child.id(), log.display());
                return Err(Failure::could_not_go_on(message));
            }
            None => thread::sleep(LOOK),
        }
    }
}

/// The run of a task, in the background, and where it says what it does.
///
/// # Errors
/// The state folder can't be written.
pub(in crate::command) fn command(
    name: &str,
    task: &Task,
    agent: Option<&str>,
    places: &Places,
) -> Result<(Command, PathBuf), Failure> {
    let folder = folders::state(places)?.join(TASKS);
    let failed =
        |error: std::io::Error| Failure::could_not_go_on(format!("the task {name:?} can't be started: {error}"));
    fs::create_dir_all(&folder).map_err(failed)?;
    let log = folder.join(format!("{name}.log"));
    let output = File::create(&log).map_err(failed)?;
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    let file = match &task.text {
        Some(text) => {
            let file = folder.join(format!("{name}.toml"));
            fs::write(&file, text).map_err(failed)?;
            match &task.lock {
                Some(lock) => fs::write(Lock::path(&file), lock).map_err(failed)?,
                // Of an earlier task by this name.
                None => match fs::remove_file(Lock::path(&file)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                },
            }
            file
        }
        None => task.file.clone(),
    };
    command.arg("run").arg(file).arg("--state-dir").arg(folders::state(places)?);
    if places.fleet.url.is_some() {
        command.args(fleet::arguments(places)).arg("--started").arg(task.times.to_string());
    }
    if let Some(config) = &places.config {
        command.arg("--config").arg(std::path::absolute(config).map_err(failed)?);
    }
    if let Some(agent) = agent {
        command.arg("--agent").arg(agent);
    }
    command.stdin(Stdio::null()).stdout(output.try_clone().map_err(failed)?).stderr(output).process_group(0);
    Ok((command, log))
}

/// Ends the run that holds the task's journal.
///
/// # Errors
/// It can't be signalled, or goes on for too long.
pub(super) fn end(process: u32, task: &Task, places: &Places) -> Result<(), Failure> {
    let pipeline = &task.pipeline;
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid =
        pid.ok_or_else(|| Failure::could_not_go_on(format!("it can't be told which process runs {pipeline:?}")))?;
    kill_process(pid, Signal::TERM)
        .map_err(|error| Failure::could_not_go_on(format!("the process {process} can't be ended: {error}")))?;
    let begin = Instant::now();
    while task.standing(places)?.process == Some(process) {
        if begin.elapsed() > END {
            let message = format!("the run of {pipeline:?} (process {process}) has been told to end and goes on");
            return Err(Failure::could_not_go_on(message));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
