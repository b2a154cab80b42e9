//! A SeaweedFS with authentication on, in a folder of the test's own, and an independent client for
//! it (`harness/s3.py`). Without it the test fails; `tests/run` installs both.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{Scratch, store::Store};

/// The folder that `tests/run` makes.
const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/harness/s3.py");
/// It's ready in 3 s on two idle cores.
const READY: Duration = Duration::from_secs(60);
/// HTTP and gRPC for master, volume, filer and S3, and S3 over TLS.
const PORTS: usize = 9;

pub(crate) const ACCESS_KEY: &str = "culvert";
pub(crate) const SECRET: &str = "culvert-secret-7c1f";
/// May read and list, nothing else.
pub(crate) const READER_KEY: &str = "reader";
pub(crate) const READER_SECRET: &str = "reader-secret-90aa";

/// May do everything in the bucket `two`, and nothing elsewhere.
pub(crate) const CONFINED_KEY: &str = "confined";
pub(crate) const CONFINED_SECRET: &str = "confined-secret-41d7";
/// May do what [`ACCESS_KEY`] may.
pub(crate) const SECOND_KEY: &str = "second";
pub(crate) const SECOND_SECRET: &str = "second-secret-b3e0";

/// A running server; ended when it's dropped.
pub(crate) struct Seaweed {
    child: Child,
    port: u16,
    tls_port: u16,
    log: PathBuf,
}

// === impl Seaweed ===

impl Seaweed {
    /// Starts a server with these buckets.
    pub(crate) fn start(scratch: &Scratch, buckets: &[&str]) -> Self {
        Self::launch(scratch, buckets, &[])
    }

    /// The same, over TLS too; its certificate is `certificate.pem` in the scratch.
    pub(crate) fn start_with_tls(scratch: &Scratch, buckets: &[&str]) -> Self {
        let (certificate, key) = (scratch.path("certificate.pem"), scratch.path("key.pem"));
        make_certificate(&certificate, &key);
        let certificate = format!("-s3.cert.file={}", certificate.display());
        Self::launch(scratch, buckets, &[certificate, format!("-s3.key.file={}", key.display())])
    }

    fn launch(scratch: &Scratch, buckets: &[&str], tls: &[String]) -> Self {
        let data = scratch.path("seaweed");
        fs::create_dir_all(&data).unwrap();
        let identity = |name: &str, secret: &str, actions: &str| {
            format!(
                r#"{{"name":"{name}","credentials":[{{"accessKey":"{name}","secretKey":"{secret}"}}],"actions":[{actions}]}}"#
            )
        };
        let identities = [
            identity(ACCESS_KEY, SECRET, r#""Admin","Read","Write","List","Tagging""#),
            identity(READER_KEY, READER_SECRET, r#""Read","List""#),
            identity(CONFINED_KEY, CONFINED_SECRET, r#""Read:two","Write:two","List:two""#),
            identity(SECOND_KEY, SECOND_SECRET, r#""Admin","Read","Write","List","Tagging""#),
        ];
        let file = scratch.path("identities.json");
        fs::write(&file, format!(r#"{{"identities":[{}]}}"#, identities.join(","))).unwrap();
        let ports = free_ports();
        let log = scratch.path("seaweed.log");
        let program = Path::new(VENV).join("weed");
        let mut command = Command::new(&program);
        command.arg("server").arg("-dir").arg(&data).arg("-s3.config").arg(&file);
        command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=50"]);
        command.args([
            "-s3",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.volumeSizeLimitMB=256",
        ]);
        let names = ["master", "volume", "filer", "s3"];
        for (name, pair) in names.iter().zip(ports.chunks(2)) {
            command.arg(format!("-{name}.port={}", pair[0])).arg(format!("-{name}.port.grpc={}", pair[1]));
        }
        if !tls.is_empty() {
            command.args(tls).arg(format!("-s3.port.https={}", ports[8]));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} can't be started ({error}); tests/run installs it", program.display()));
        let mut server = Self { child, port: ports[6], tls_port: ports[8], log };
        server.wait_until_ready();
        buckets.iter().for_each(|bucket| drop(server.client(&["make", bucket])));
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn tls_endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.tls_port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The keys of an end at a bucket of this server.
    pub(crate) fn end(&self, bucket: &str) -> String {
        end(&self.endpoint(), bucket, ACCESS_KEY, SECRET)
    }

    /// What the independent client prints.
    pub(crate) fn client(&self, arguments: &[&str]) -> String {
        let output = client(&self.endpoint(), arguments);
        assert!(output.status.success(), "s3.py {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.client(arguments)).unwrap()
    }

    /// A signed request is answered.
    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        loop {
            if client(&self.endpoint(), &["ready"]).status.success() {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "SeaweedFS ended ({ended:?}):\n{}", log());
            assert!(begin.elapsed() < READY, "SeaweedFS wasn't ready within {READY:?}:\n{}", log());
        }
    }
}

impl Store for Seaweed {
    fn port(&self) -> u16 {
        self.port
    }

    fn end_at(&self, endpoint: &str, bucket: &str) -> String {
        end(endpoint, bucket, ACCESS_KEY, SECRET)
    }

    fn ask(&self, arguments: &[&str]) -> String {
        self.client(arguments)
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("the last of SeaweedFS's log:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The independent client, run against a server at this endpoint.
pub(crate) fn client(endpoint: &str, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(Path::new(VENV).join("python"));
    command.arg(CLIENT).args([endpoint, ACCESS_KEY, SECRET]).args(arguments);
    command.output().unwrap_or_else(|error| panic!("{VENV}/python can't be started ({error}); see tests/run"))
}

/// The keys of an end.
pub(crate) fn end(endpoint: &str, bucket: &str, access_key: &str, secret: &str) -> String {
    format!(
        "connector = \"s3\"\nendpoint = \"{endpoint}\"\nbucket = \"{bucket}\"\nforce_path_style = true\nordered_listing = false\n\
         access_key_id = \"{access_key}\"\nsecret_access_key = \"{secret}\""
    )
}

/// A certificate for 127.0.0.1 that signs itself, and its key.
pub(crate) fn make_certificate(certificate: &Path, key: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=culvert test", "-addext", "subjectAltName=IP:127.0.0.1"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-keyout").arg(key).arg("-out").arg(certificate).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "openssl can't make a certificate");
}

/// Ports that nobody listens on now; all are held until all are known.
pub(crate) fn free_ports() -> Vec<u16> {
    let held: Vec<_> = (0..PORTS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
