//! What every system test needs: a folder of its own, the real `engine`, seeded trees, and a way to
//! say how two trees differ. Nothing here passes because something is missing.

pub(crate) mod age;
pub(crate) mod disk;
pub(crate) mod ftp;
pub(crate) mod gate;
pub(crate) mod nats;
pub(crate) mod network;
pub(crate) mod nginx;
pub(crate) mod oss;
pub(crate) mod otlp;
pub(crate) mod rates;
pub(crate) mod registry;
pub(crate) mod s3s;
pub(crate) mod seaweed;
pub(crate) mod store;
pub(crate) mod tree;
pub(crate) mod wire;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// No test's command takes longer; one that does is ended and fails its test.
const DEADLINE: Duration = Duration::from_secs(120);

/// A folder of a test's own, removed when the test passes and kept, and named, when it fails.
pub(crate) struct Scratch {
    folder: Option<tempfile::TempDir>,
}

/// A running `engine`.
pub(crate) struct Running {
    child: Child,
    output: PathBuf,
    errors: PathBuf,
    begin: Instant,
}

/// How an `engine` ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
    pub(crate) took: Duration,
}

// === impl Scratch ===

impl Scratch {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("culvert-test-").tempdir().unwrap();
        Self { folder: Some(folder) }
    }

    /// The same in memory, for what would wear a disk out.
    pub(crate) fn in_memory() -> Self {
        let folder = tempfile::Builder::new().prefix("culvert-test-").tempdir_in("/dev/shm").unwrap();
        Self { folder: Some(folder) }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(below)
    }

    /// Writes a pipeline from `source/` to `sink/`; `more` are lines after the tables of both ends.
    pub(crate) fn pipeline(&self, more: &str) -> PathBuf {
        self.pipeline_between(&self.local("source"), &self.local("sink"), more)
    }

    /// The keys of a local end at a folder of this scratch.
    pub(crate) fn local(&self, below: &str) -> String {
        format!("connector = \"local\"\npath = \"{}\"", self.path(below).display())
    }

    pub(crate) fn pipeline_between(&self, source: &str, sink: &str, more: &str) -> PathBuf {
        let tunnel = if more.contains("[tunnel]") { "" } else { "[tunnel]\n" };
        let text = format!("name = \"test\"\n{tunnel}{more}\n[source]\n{source}\n[sink]\n{sink}\n");
        let path = self.path("pipeline.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// Lets the next run begin without a past: a journal belongs to one source and one sink.
    pub(crate) fn forget(&self) {
        let pipelines = self.path("state/pipelines");
        if pipelines.exists() {
            fs::remove_dir_all(pipelines).unwrap();
        }
    }

    /// Starts `engine` with a state folder of this scratch.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, "", Stdio::null(), &[])
    }

    /// The same, with these variables and no other that says who one is at AWS.
    pub(crate) fn start_as(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        self.start_with(arguments, "", Stdio::null(), variables)
    }

    /// The same, with output of its own: for one that others run beside.
    pub(crate) fn start_apart(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, "-apart", Stdio::null(), &[])
    }

    /// Runs `engine` to its end with something on its standard input.
    pub(crate) fn engine_fed(&self, arguments: &[&str], input: &str) -> Ended {
        let path = self.path("stdin");
        fs::write(&path, input).unwrap();
        self.start_with(arguments, "", fs::File::open(path).unwrap().into(), &[]).wait()
    }

    /// Starts `engine` as on a machine of this name: with a state folder and output of its own.
    pub(crate) fn start_on(&self, machine: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        self.start_in(&format!("state-{machine}"), arguments, &format!("-{machine}"), Stdio::null(), variables)
    }

    /// The same in a network namespace.
    pub(crate) fn start_within(
        &self,
        namespace: &str,
        machine: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Running {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_engine")]);
        let (state, apart) = (format!("state-{machine}"), format!("-{machine}"));
        self.start_by(command, &state, arguments, &apart, Stdio::null(), variables)
    }

    fn start_with(&self, arguments: &[&str], apart: &str, input: Stdio, variables: &[(&str, &str)]) -> Running {
        self.start_in("state", arguments, apart, input, variables)
    }

    fn start_in(
        &self,
        state: &str,
        arguments: &[&str],
        apart: &str,
        input: Stdio,
        variables: &[(&str, &str)],
    ) -> Running {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_engine")), state, arguments, apart, input, variables)
    }

    fn start_by(
        &self,
        mut command: Command,
        state: &str,
        arguments: &[&str],
        apart: &str,
        input: Stdio,
        variables: &[(&str, &str)],
    ) -> Running {
        let (output, errors) = (self.path(&format!("stdout{apart}")), self.path(&format!("stderr{apart}")));
        command.args(arguments).arg("--state-dir").arg(self.path(state));
        std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.envs(variables.iter().copied());
        command.stdin(input);
        command.stdout(fs::File::create(&output).unwrap()).stderr(fs::File::create(&errors).unwrap());
        let begin = Instant::now();
        Running { child: command.spawn().unwrap(), output, errors, begin }
    }

    /// Runs `engine` to its end.
    pub(crate) fn engine(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// `engine run --json` of a pipeline.
    pub(crate) fn run(&self, pipeline: &Path) -> Ended {
        self.engine(&["run", "--json", pipeline.to_str().unwrap()])
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the test's folder is kept: {}", folder.keep().display());
        }
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// The status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn wait(self) -> Ended {
        self.wait_for(DEADLINE)
    }

    /// The same for what takes longer.
    pub(crate) fn wait_for(mut self, deadline: Duration) -> Ended {
        let status = loop {
            match self.ended() {
                Some(status) => break status,
                None if self.begin.elapsed() > deadline => {
                    self.child.kill().unwrap();
                    self.child.wait().unwrap();
                    panic!("engine was still running after {deadline:?}: {}", self.printed());
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let took = self.begin.elapsed();
        let read = |path: &Path| {
            let mut text = Vec::new();
            fs::File::open(path).unwrap().read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let ended = Ended { code: status.code(), output: read(&self.output), errors: read(&self.errors), took };
        assert!(!ended.errors.contains("panicked"), "engine panicked:\n{}", ended.errors);
        assert!(ended.code.is_some(), "engine was ended by a signal: {status}");
        ended
    }
}

impl Drop for Running {
    /// A test that failed leaves nobody behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may have ended just now.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

// === impl Ended ===

impl Ended {
    /// Every line as JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events of this name.
    pub(crate) fn events_named(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == name).collect()
    }

    /// The last line, which must be the summary.
    pub(crate) fn summary(&self) -> Value {
        let last = self.events().pop();
        let last = last.unwrap_or_else(|| panic!("engine printed nothing; its errors:\n{}", self.errors));
        assert_eq!(last["event"], "summary", "{}", self.errors);
        last
    }

    /// A count of the summary.
    pub(crate) fn objects(&self, what: &str) -> u64 {
        self.summary()["objects"][what].as_u64().unwrap()
    }

    /// Code of each failed object, by key.
    pub(crate) fn failures(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.events_named("failed").iter().map(|event| (text(&event["key"]), text(&event["code"]))).collect()
    }

    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "output:\n{}\nerrors:\n{}", self.output, self.errors);
        self
    }
}

/// Peak memory of a process in KiB, while it runs.
pub(crate) fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}
