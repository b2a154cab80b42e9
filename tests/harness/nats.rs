//! A NATS server with JetStream, in a folder of the test's own, on a port that it keeps when it's started
//! again. Without it the test fails; `tests/run` installs it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Scratch, seaweed::free_ports};

/// What `tests/run` installs.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/nats-server");
/// It's ready in 0.1 s.
const READY: Duration = Duration::from_secs(60);

/// A running server; ended when it's dropped.
pub(crate) struct Nats {
    child: Option<Child>,
    address: String,
    port: u16,
    folder: PathBuf,
    log: PathBuf,
}

// === impl Nats ===

impl Nats {
    pub(crate) fn start(scratch: &Scratch) -> Self {
        Self::start_with(scratch, "")
    }

    /// With more lines of configuration.
    pub(crate) fn start_with(scratch: &Scratch, more: &str) -> Self {
        Self::start_at(scratch, "127.0.0.1", more)
    }

    /// At another address of this machine.
    pub(crate) fn start_at(scratch: &Scratch, address: &str, more: &str) -> Self {
        let folder = scratch.path("nats");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("nats.conf"), format!("{more}\n")).unwrap();
        let log = scratch.path("nats.log");
        let mut server = Self { child: None, address: address.to_owned(), port: free_ports()[0], folder, log };
        server.begin();
        server
    }

    /// Starts it, again on the same port and with what it had stored.
    pub(crate) fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let program = Path::new(PROGRAM);
        let mut command = Command::new(program);
        command.args(["-js", "-a", &self.address, "-p", &self.port.to_string()]);
        command.arg("-sd").arg(self.folder.join("store")).arg("-c").arg(self.folder.join("nats.conf"));
        let log = fs::File::options().append(true).create(true).open(&self.log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = command.spawn();
        self.child =
            Some(started.unwrap_or_else(|error| {
                panic!("{} can't be started ({error}); tests/run installs it", program.display())
            }));
        self.wait_until_ready();
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}:{}", self.address, self.port)
    }

    /// Ends it as a power cut of its process would.
    pub(crate) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it stand still.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }

    /// It answers a client's first ping, or asks who that is, and says that it has JetStream.
    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        while !is_ready(&self.address, self.port) {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "the NATS server ended ({ended:?}):\n{}", log());
            assert!(begin.elapsed() < READY, "the NATS server wasn't ready within {READY:?}:\n{}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("the last of the NATS server's log:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

fn is_ready(address: &str, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((address, port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if lines.read_line(&mut line).is_err() || !line.starts_with("INFO ") || !line.contains("\"jetstream\":true") {
        return false;
    }
    if line.contains("\"auth_required\":true") || line.contains("\"tls_required\":true") {
        return true;
    }
    line.clear();
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").is_ok()
        && lines.read_line(&mut line).is_ok()
        && line.starts_with("PONG")
}
