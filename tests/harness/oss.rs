//! The tests' OSS server (`harness/oss/server.py`) in a folder of the test's own, and the official SDK
//! as an independent client for it (`harness/oss/client.py`). Without them the test fails; `tests/run`
//! installs both.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{Scratch, store::Store};

/// The folder that `tests/run` makes.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/python");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/harness/oss");

pub(crate) const ACCESS_KEY: &str = "culvert";
pub(crate) const SECRET: &str = "culvert-secret-7c1f";
/// May read and list, nothing else.
pub(crate) const READER_KEY: &str = "reader";
pub(crate) const READER_SECRET: &str = "reader-secret-90aa";
/// May touch the bucket `two` and no other.
pub(crate) const CONFINED_KEY: &str = "confined";
pub(crate) const CONFINED_SECRET: &str = "confined-secret-3b7e";
/// A temporary key, and its token.
pub(crate) const STS_KEY: &str = "STS.culvert";
pub(crate) const STS_TOKEN: &str = "CAIS+token/==";

/// A running server; ended when it's dropped.
pub(crate) struct Oss {
    child: Child,
    port: u16,
    log: PathBuf,
}

// === impl Oss ===

impl Oss {
    /// With these buckets.
    pub(crate) fn start(scratch: &Scratch, buckets: &[&str]) -> Self {
        Self::start_with(scratch, buckets, json!({}))
    }

    /// With more settings than keys and buckets: what they are stands at the server's beginning.
    pub(crate) fn start_with(scratch: &Scratch, buckets: &[&str], more: Value) -> Self {
        let data = scratch.path("oss");
        fs::create_dir_all(&data).unwrap();
        let mut settings = json!({
            "region": "cn-test",
            "buckets": buckets,
            "keys": {
                ACCESS_KEY: {"secret": SECRET},
                READER_KEY: {"secret": READER_SECRET, "reads": true},
                CONFINED_KEY: {"secret": CONFINED_SECRET, "buckets": ["two"]},
                STS_KEY: {"secret": SECRET, "token": STS_TOKEN},
            },
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let log = scratch.path("oss.log");
        let mut command = script("server.py");
        command.arg(&data).arg(settings.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{PYTHON} can't be started ({error}); see tests/run"));
        // It prints its port once it listens, and nothing if it has ended.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the OSS server didn't start:\n{}", said()));
        Self { child, port, log }
    }

    /// Runs a script of the harness against this server, which must end well.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = script(name);
        command.arg(self.url()).args(arguments).env("OSS_REGION", "cn-test");
        command.env("OSS_ACCESS_KEY_ID", ACCESS_KEY).env("OSS_ACCESS_KEY_SECRET", SECRET);
        ended_well(command)
    }
}

impl Store for Oss {
    fn port(&self) -> u16 {
        self.port
    }

    fn end_at(&self, endpoint: &str, bucket: &str) -> String {
        end(endpoint, bucket, ACCESS_KEY, SECRET)
    }

    fn ask(&self, arguments: &[&str]) -> String {
        self.script("client.py", arguments)
    }
}

impl Drop for Oss {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the OSS server's log:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// The keys of an end.
pub(crate) fn end(endpoint: &str, bucket: &str, access_key: &str, secret: &str) -> String {
    let place = end_without_key(endpoint, bucket);
    format!("{place}\naccess_key_id = \"{access_key}\"\naccess_key_secret = \"{secret}\"")
}

pub(crate) fn end_without_key(endpoint: &str, bucket: &str) -> String {
    format!("connector = \"oss\"\nendpoint = \"{endpoint}\"\nregion = \"cn-test\"\nbucket = \"{bucket}\"")
}

/// The same client for a bucket of the real service, with the keys of this process's environment.
pub(crate) fn live_client(region: &str, arguments: &[&str]) -> String {
    let mut command = script("client.py");
    command.arg(format!("https://oss-{region}.aliyuncs.com")).args(arguments).env("OSS_REGION", region);
    for (ours, theirs) in [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "OSS_ACCESS_KEY_ID"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "OSS_ACCESS_KEY_SECRET"),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "OSS_SESSION_TOKEN"),
    ] {
        if let Ok(value) = std::env::var(ours) {
            command.env(theirs, value);
        }
    }
    ended_well(command)
}

/// What a command printed.
fn ended_well(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{PYTHON} can't be started ({error}); see tests/run"));
    assert!(output.status.success(), "{:?}: {}", command.get_args(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn script(name: &str) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg(Path::new(SCRIPTS).join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
