//! Debian's `docker-registry`, in a folder of the test's own: as it comes, with htpasswd, over TLS. Without it
//! the test fails; `tests/run` unpacks it.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Scratch, seaweed::free_ports};

/// What `tests/run` unpacks.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/registry/usr/bin/docker-registry");
/// It's ready in 0.1 s.
const READY: Duration = Duration::from_secs(60);

pub(crate) const USER: &str = "mover";
pub(crate) const PASSWORD: &str = "registry-secret-4f1b";
/// Of the password, by bcrypt.
const HASH: &str = "$2b$05$cuLvErTcuLvErTcuLvErTeUEvtRP3l/yDHSTFhwDSBITjgaD4VxCO";
/// The name that its certificate is for.
pub(crate) const NAME: &str = "registry.test";

/// A running registry; ended when it's dropped.
pub(crate) struct Registry {
    child: Option<Child>,
    port: u16,
    folder: PathBuf,
}

/// A proxy by the environment's rules, which leads every request to one port of this machine.
pub(crate) struct Proxy {
    port: u16,
}

// === impl Registry ===

impl Registry {
    /// Asks nobody who he is.
    pub(crate) fn start(scratch: &Scratch) -> Self {
        Self::launch(scratch, "", "")
    }

    /// Lets nobody do anything without [`USER`] and [`PASSWORD`].
    pub(crate) fn start_with_password(scratch: &Scratch) -> Self {
        let file = scratch.path("htpasswd");
        fs::write(&file, format!("{USER}:{HASH}\n")).unwrap();
        Self::launch(scratch, "", &format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display()))
    }

    /// Over TLS, as [`NAME`]; its certificate is `registry.pem` in the scratch.
    pub(crate) fn start_with_tls(scratch: &Scratch) -> Self {
        let (certificate, key) = (scratch.path("registry.pem"), scratch.path("registry.key"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-subj", "/CN=culvert test", "-addext", &format!("subjectAltName=DNS:{NAME}")]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "openssl can't make a certificate");
        let tls = format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display());
        Self::launch(scratch, &tls, "")
    }

    fn launch(scratch: &Scratch, http: &str, more: &str) -> Self {
        let folder = scratch.path("registry");
        fs::create_dir_all(&folder).unwrap();
        let port = free_ports()[0];
        let storage = folder.join("data");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: 127.0.0.1:{port}\n{http}{more}",
            storage.display()
        );
        fs::write(folder.join("config.yml"), text).unwrap();
        let mut registry = Self { child: None, port, folder };
        registry.begin();
        registry
    }

    /// Starts it, again on the same port and with what it had stored.
    pub(crate) fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::File::options().append(true).create(true).open(self.folder.join("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg(self.folder.join("config.yml")).stdin(Stdio::null());
        command.env("OTEL_TRACES_EXPORTER", "none").stdout(log.try_clone().unwrap()).stderr(log);
        let started = command.spawn();
        self.child =
            Some(started.unwrap_or_else(|error| panic!("{PROGRAM} can't be started ({error}); see tests/run")));
        let begin = Instant::now();
        // Over TLS a plain request is answered too: 400.
        while !answers(self.port) {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the registry ended ({ended:?}):\n{}", self.log());
            assert!(begin.elapsed() < READY, "the registry wasn't ready within {READY:?}:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Host and port.
    pub(crate) fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The file of what it stores under this digest, in hex.
    pub(crate) fn blob(&self, hex: &str) -> PathBuf {
        self.folder.join("data/docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("the registry's log:\n{}", self.log());
        }
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = [0; 5];
    stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"HTTP/"
}

// === impl Proxy ===

impl Proxy {
    /// In front of a port.
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || lead(client, server));
            }
        });
        Self { port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Opens a tunnel where it's asked for one; otherwise the server gets the request as it is.
fn lead(mut client: TcpStream, server: u16) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
    let begun = if head.starts_with(b"CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")
    } else {
        server.write_all(&head)
    };
    if begun.is_err() {
        return;
    }
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

/// A built-in connector with something at its end that changes its digest and nothing else.
pub(crate) fn component(mark: &str) -> Vec<u8> {
    let mut wasm = culvert_builtin::find("local").unwrap().wasm.to_vec();
    if !mark.is_empty() {
        // A custom section: its name, then nothing.
        let length = u8::try_from(mark.len()).unwrap();
        wasm.extend([0, length + 1, length]);
        wasm.extend(mark.as_bytes());
    }
    wasm
}

/// Writes one to a file.
pub(crate) fn write_component(path: &Path, mark: &str) {
    fs::write(path, component(mark)).unwrap();
}
