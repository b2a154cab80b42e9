//! A real HTTP server on loopback: nginx from Debian's package, unpacked by `tests/run`. It serves a folder
//! of its test's own with index pages, and ends with it.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::Scratch;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/nginx/usr/sbin/nginx");
/// Longest that it may take to answer; it's there in some 20 ms.
const READY: Duration = Duration::from_secs(20);
/// What `authorization` must be below `/private/`.
pub(crate) const TOKEN: &str = "Bearer secret_word";

/// A running server.
pub(crate) struct Nginx {
    child: Child,
    folder: PathBuf,
    port: u16,
}

// === impl Nginx ===

impl Nginx {
    /// Below `/` is the served folder; `/no-ranges/` is the same without ranges, `/no-tags/` without entity
    /// tags, `/busy/` answers 503, `/private/` wants [`TOKEN`], and `/to/` redirects to `there`.
    pub(crate) fn start(scratch: &Scratch, name: &str, there: &str) -> Self {
        let folder = scratch.path(name);
        fs::create_dir_all(folder.join("root")).unwrap();
        fs::create_dir_all(folder.join("tmp")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(folder.join("nginx.conf"), configuration(&folder, port, there)).unwrap();
        let program = Path::new(PROGRAM);
        assert!(program.exists(), "there is no {PROGRAM}; tests/run unpacks it");
        let mut command = Command::new(program);
        command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("errors"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, folder, port };
        server.wait_until_ready();
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Host and port, as keys begin without a base.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What is below the folder that it serves.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.join("root").join(below)
    }

    /// Each request as `METHOD path status range`, in the order of their ends.
    pub(crate) fn requests(&self) -> Vec<String> {
        fs::read_to_string(self.folder.join("requests")).unwrap().lines().map(str::to_owned).collect()
    }

    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        while !self.answers() {
            let ended = self.child.try_wait().unwrap();
            let log = fs::read_to_string(self.folder.join("errors")).unwrap_or_default();
            assert!(ended.is_none() && begin.elapsed() < READY, "nginx isn't ready ({ended:?}):\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = Vec::new();
        let asked = stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n").and_then(|()| stream.read_to_end(&mut answer));
        asked.is_ok() && answer.starts_with(b"HTTP/1.1 204")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process in the foreground, with everything that it writes in its own folder.
fn configuration(folder: &Path, port: u16, there: &str) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|it| format!("{it}_temp_path {folder}/tmp/{it};\n")).collect();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/errors info;\nevents {{}}\nhttp {{\n\
         {temporary}default_type application/octet-stream;\n\
         log_format told '$request_method $request_uri $status $http_range';\n\
         access_log {folder}/requests told;\n\
         server {{\nlisten 127.0.0.1:{port};\nroot {folder}/root;\nautoindex on;\n\
         location = /ready {{ access_log off; return 204; }}\n\
         location /no-ranges/ {{ alias {folder}/root/; max_ranges 0; }}\n\
         location /no-tags/ {{ alias {folder}/root/; etag off; }}\n\
         location /busy/ {{ add_header retry-after 1 always; return 503; }}\n\
         location /private/ {{ alias {folder}/root/; if ($http_authorization != \"{TOKEN}\") {{ return 401; }} }}\n\
         location /to/ {{ rewrite ^/to/(.*)$ {there}$1 redirect; }}\n\
         }}\n}}\n"
    )
}
