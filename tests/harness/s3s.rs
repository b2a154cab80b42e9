//! An `s3s-fs`, a server of another make than SeaweedFS: it checks signatures and the payload's hash,
//! lists in order, and keeps objects as files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Scratch,
    seaweed::{ACCESS_KEY, SECRET, client, end, free_ports},
    store::Store,
};

/// Where `tests/run` installs it.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/s3s/bin/s3s-fs");
/// It's ready in 50 ms.
const READY: Duration = Duration::from_secs(60);

/// A running server; ended when it's dropped.
pub(crate) struct S3s {
    child: Child,
    port: u16,
    root: PathBuf,
}

// === impl S3s ===

impl S3s {
    /// Starts a server with these buckets.
    pub(crate) fn start(scratch: &Scratch, buckets: &[&str]) -> Self {
        let root = scratch.path("s3s");
        fs::create_dir_all(&root).unwrap();
        let port = free_ports()[0];
        let log = fs::File::create(scratch.path("s3s.log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET]).arg(&root);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{PROGRAM} can't be started ({error}); tests/run installs it"));
        let mut server = Self { child, port, root };
        let begin = Instant::now();
        while !client(&server.url(), &["ready"]).status.success() {
            assert!(
                server.child.try_wait().unwrap().is_none(),
                "s3s-fs ended; see {}",
                scratch.path("s3s.log").display()
            );
            assert!(begin.elapsed() < READY, "s3s-fs wasn't ready within {READY:?}");
        }
        buckets.iter().for_each(|bucket| drop(server.ask(&["make", bucket])));
        server
    }

    fn below(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                Self::below(&entry.path(), found);
            } else {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
}

impl Store for S3s {
    fn port(&self) -> u16 {
        self.port
    }

    fn end_at(&self, endpoint: &str, bucket: &str) -> String {
        end(endpoint, bucket, ACCESS_KEY, SECRET).replace("ordered_listing = false", "ordered_listing = true")
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = client(&self.url(), arguments);
        assert!(output.status.success(), "s3.py {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// By the names of their files: it has no `ListMultipartUploads`.
    fn uploads(&self, _bucket: &str) -> Vec<String> {
        let mut found = Vec::new();
        Self::below(&self.root, &mut found);
        found.retain(|name| name.starts_with(".upload"));
        found
    }
}

impl Drop for S3s {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
