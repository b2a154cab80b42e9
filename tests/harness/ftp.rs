//! Real FTP servers on loopback: vsftpd, ProFTPD and Pure-FTPd from Debian's packages, unpacked by
//! `tests/run` beside each other, and pyftpdlib as older Windows servers are. Each serves a folder of
//! its test's own and ends with it.

pub(crate) mod ports;
pub(crate) mod proxy;

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::Scratch;

/// Longest that a server may take to say its greeting.
const READY: Duration = Duration::from_secs(20);

pub(crate) const PASSWORD: &str = "secret_word";
/// What pyftpdlib wants besides.
pub(crate) const ACCOUNT: &str = "secret_word_two";
/// The same, as crypt(3) hides it: `openssl passwd -5 -salt culvert secret_word`.
const HIDDEN: &str = "$5$culvert$ZAX44ZG32dlvqEOTnmdRz4scjVmBn8zzyONy4qD7db9";

/// An address that nobody has (RFC 5737).
const ELSEWHERE: &str = "192.0.2.1";

/// Debian's `daemon`, whom the servers become.
const USER: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Vsftpd,
    Proftpd,
    PureFtpd,
    /// `harness/ftp.py`.
    Windows,
}

/// What is asked of a server.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// Data connections must resume the control connection's session, where the server can demand it.
    pub(crate) tls: bool,
    /// TLS from the first byte.
    pub(crate) implicit: bool,
    /// Replies to PASV name an address that isn't the server's.
    pub(crate) masquerade: bool,
    pub(crate) max_per_address: Option<u32>,
    /// The first of the ports for data, [`ports::COUNT`] of them.
    pub(crate) passive: Option<u16>,
}

/// A running server.
pub(crate) struct Server {
    kind: Kind,
    child: Child,
    folder: PathBuf,
    wishes: Wishes,
    pub(crate) port: u16,
}

pub(crate) const ALL: [Kind; 3] = [Kind::Vsftpd, Kind::Proftpd, Kind::PureFtpd];

// === impl Server ===

impl Server {
    /// Starts a server with a folder of its own below the scratch.
    pub(crate) fn start(scratch: &Scratch, kind: Kind, wishes: Wishes) -> Self {
        let folder = scratch.path(&format!("{kind:?}"));
        fs::create_dir_all(folder.join("root/files")).unwrap();
        fs::create_dir_all(folder.join("empty")).unwrap();
        // Whoever logs in must reach the folder below a scratch that is its owner's alone.
        open_up(&folder);
        chown(folder.join("root/files"), Some(USER), Some(USER)).unwrap();
        if wishes.tls {
            certificate(&folder);
        }
        let port = free_port();
        let child = spawn(kind, &folder, port, wishes);
        let mut server = Self { kind, child, folder, wishes, port };
        server.wait_until_ready();
        server
    }

    /// Ends it and starts it again on the same port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.child = spawn(self.kind, &self.folder, self.port, self.wishes);
        self.wait_until_ready();
    }

    /// Ends it, connections and all.
    pub(crate) fn stop(&mut self) {
        // Its own group: the processes of its connections too.
        let _ = killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL);
        self.child.wait().unwrap();
    }

    /// What is below the folder that it serves.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.join("root/files").join(below)
    }

    /// The keys of an end of a pipeline, at a folder below the served one.
    pub(crate) fn keys(&self, below: &str) -> String {
        self.keys_at(self.port, below)
    }

    /// The same through what cuts connections under TLS.
    pub(crate) fn keys_through(&self, cutter: &ports::Cutter, below: &str) -> String {
        self.keys_at(cutter.port, below).replace("127.0.0.1", ports::ADDRESS)
    }

    /// The same through a proxy.
    pub(crate) fn keys_at(&self, port: u16, below: &str) -> String {
        let scheme = match self.wishes {
            Wishes { implicit: true, .. } => "ftps",
            Wishes { tls: true, .. } => "ftpes",
            _ => "ftp",
        };
        let user = if self.kind == Kind::Vsftpd { "anonymous" } else { "culvert" };
        let mut keys = format!(
            "connector = \"ftp\"\nendpoint = \"{scheme}://127.0.0.1:{port}\"\nuser = \"{user}\"\n\
             password = \"{PASSWORD}\"\npath = \"/files/{below}\"\n"
        );
        if self.kind == Kind::Windows {
            keys.push_str(&format!("account = \"{ACCOUNT}\"\nencoding = \"latin-1\"\n"));
        }
        if self.wishes.tls {
            keys.push_str(&format!("tls_ca = {{ file = \"{}\" }}\n", self.folder.join("certificate.pem").display()));
        }
        keys
    }

    /// Gives everything that a test has put there to whom the server becomes.
    pub(crate) fn own(&self) {
        own(&self.path(""));
    }

    /// What it has logged, for a failure's report.
    pub(crate) fn log(&self) -> String {
        let logs = ["log", "output", "log.tls"].map(|name| fs::read(self.folder.join(name)).unwrap_or_default());
        logs.map(|log| String::from_utf8_lossy(&log).into_owned()).join("\n")
    }

    fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        while begin.elapsed() < READY {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{:?} ended at its start: {status}\n{}", self.kind, self.log());
            }
            let is_ready = if self.wishes.implicit { accepts(self.port) } else { greets(self.port) };
            if is_ready {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{:?} didn't greet within {READY:?}:\n{}", self.kind, self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let begin = log.len().saturating_sub(6000);
            eprintln!("the end of {:?}'s log:\n{}", self.kind, &log[log.ceil_char_boundary(begin)..]);
        }
        self.stop();
    }
}

/// All that shows in clear of a server that begins with TLS.
fn accepts(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn greets(port: u16) -> bool {
    let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut greeting = [0; 4];
    connection.read_exact(&mut greeting).is_ok() && greeting.starts_with(b"220")
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(USER), Some(USER)).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path());
        }
    }
}

/// Lets everybody pass through the folders above.
fn open_up(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;

    for above in folder.ancestors().take_while(|above| above.starts_with(std::env::temp_dir())) {
        if above != std::env::temp_dir() {
            fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// A certificate for 127.0.0.1 and 127.0.0.2 that signs itself, and its key.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=culvert test", "-addext", "subjectAltName=IP:127.0.0.1,IP:127.0.0.2"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "openssl can't make a certificate");
}

/// Where `tests/run` unpacked the servers.
fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/ftp");
    assert!(tools.join("usr/sbin/vsftpd").exists(), "the FTP servers are missing; tests/run unpacks them");
    tools
}

fn spawn(kind: Kind, folder: &Path, port: u16, wishes: Wishes) -> Child {
    let tools = tools();
    let mut command = match kind {
        Kind::Vsftpd => vsftpd(&tools, folder, port, wishes),
        Kind::Proftpd => proftpd(&tools, folder, port, wishes),
        Kind::PureFtpd => pure_ftpd(&tools, folder, port, wishes),
        Kind::Windows => windows(folder, port),
    };
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|below| tools.join(below));
    let libraries = std::env::join_paths(libraries).unwrap();
    let output = fs::File::options().create(true).append(true).open(folder.join("output")).unwrap();
    command.env("LD_LIBRARY_PATH", libraries).stdin(Stdio::null());
    command.stdout(output.try_clone().unwrap()).stderr(output).process_group(0);
    command.spawn().unwrap()
}

/// Only anonymous users need no entry in the system's own files; the address that they give as their
/// password must be on a list.
fn vsftpd(tools: &Path, folder: &Path, port: u16, wishes: Wishes) -> Command {
    let at = |below: &str| folder.join(below).display().to_string();
    fs::write(folder.join("passwords"), format!("{PASSWORD}\n")).unwrap();
    let mut config = format!(
        "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n\
         ftp_username=daemon\nanon_root={}\nsecure_email_list_enable=YES\nemail_password_file={}\n\
         write_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n\
         anon_world_readable_only=NO\nanon_umask=022\nsecure_chroot_dir={}\nseccomp_sandbox=NO\n\
         xferlog_enable=YES\nlog_ftp_protocol=YES\nvsftpd_log_file={}\nmax_per_ip={}\n",
        at("root"),
        at("passwords"),
        at("empty"),
        at("log"),
        wishes.max_per_address.unwrap_or(0),
    );
    if wishes.masquerade {
        config.push_str(&format!("pasv_address={ELSEWHERE}\n"));
    }
    if let Some(first) = wishes.passive {
        config.push_str(&format!("pasv_min_port={first}\npasv_max_port={}\n", first + ports::COUNT - 1));
    }
    if wishes.implicit {
        config.push_str("implicit_ssl=YES\n");
    }
    if wishes.tls {
        config.push_str(&format!(
            "ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\n\
             require_ssl_reuse=YES\nssl_ciphers=HIGH\nrsa_cert_file={}\nrsa_private_key_file={}\n",
            at("certificate.pem"),
            at("key.pem"),
        ));
    }
    fs::write(folder.join("vsftpd.conf"), config).unwrap();
    let mut command = Command::new(tools.join("usr/sbin/vsftpd"));
    command.arg(folder.join("vsftpd.conf"));
    command
}

fn proftpd(tools: &Path, folder: &Path, port: u16, wishes: Wishes) -> Command {
    use std::os::unix::fs::PermissionsExt;

    let at = |below: &str| folder.join(below).display().to_string();
    fs::write(folder.join("users"), format!("culvert:{HIDDEN}:{USER}:{USER}::{}:/bin/sh\n", at("root"))).unwrap();
    fs::set_permissions(folder.join("users"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut config = format!(
        "ModulePath {}\nLoadModule mod_digest.c\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {port}\n\
         UseIPv6 off\nUseReverseDNS off\nUser daemon\nGroup daemon\nAuthUserFile {}\nAuthOrder mod_auth_file.c\n\
         DefaultRoot ~\nRequireValidShell off\nAllowOverwrite on\nAllowStoreRestart on\nWtmpLog off\n\
         TransferLog none\nSystemLog {}\nPidFile {}\nScoreboardFile {}\nDelayEngine off\nMaxInstances 100\n",
        tools.join("usr/lib/proftpd").display(),
        at("users"),
        at("log"),
        at("pid"),
        at("scoreboard"),
    );
    if let Some(max) = wishes.max_per_address {
        config.push_str(&format!("MaxClientsPerHost {max}\n"));
    }
    if wishes.masquerade {
        config.push_str(&format!("MasqueradeAddress {ELSEWHERE}\n"));
    }
    if let Some(first) = wishes.passive {
        config.push_str(&format!("PassivePorts {first} {}\n", first + ports::COUNT - 1));
    }
    if wishes.tls {
        config.push_str(&format!(
            "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSProtocol TLSv1.2 TLSv1.3\nTLSLog {}\n\
             TLSECCertificateFile {}\nTLSECCertificateKeyFile {}\n",
            at("log.tls"),
            at("certificate.pem"),
            at("key.pem"),
        ));
    }
    if wishes.implicit {
        config.push_str("TLSOptions UseImplicitSSL\n");
    }
    fs::write(folder.join("proftpd.conf"), config).unwrap();
    let mut command = Command::new(tools.join("usr/sbin/proftpd"));
    command.args(["-n", "-q", "-c"]).arg(folder.join("proftpd.conf"));
    command
}

fn pure_ftpd(tools: &Path, folder: &Path, port: u16, wishes: Wishes) -> Command {
    let at = |below: &str| folder.join(below).display().to_string();
    let users = format!("culvert:{HIDDEN}:{USER}:{USER}::{}/./::::::::::::\n", at("root"));
    fs::write(folder.join("users"), users).unwrap();
    let database = folder.join("users.pdb");
    let made = Command::new(tools.join("usr/bin/pure-pw"))
        .arg("mkdb")
        .arg(&database)
        .arg("-f")
        .arg(folder.join("users"))
        .status()
        .unwrap();
    assert!(made.success(), "pure-pw can't make a database");
    let mut command = Command::new(tools.join("usr/sbin/pure-ftpd"));
    command.args(["-S", &format!("127.0.0.1,{port}"), "-l", &format!("puredb:{}", database.display())]);
    command.args(["-E", "-H", "-A", "-D", "-4", "-u", "1", "-c", "100", "-L", "200000:8"]);
    command.args(["-g", &at("pid"), "-O", &format!("clf:{}", at("log"))]);
    if let Some(max) = wishes.max_per_address {
        command.args(["-C", &max.to_string()]);
    }
    if wishes.masquerade {
        command.args(["-P", ELSEWHERE]);
    }
    if let Some(first) = wishes.passive {
        command.args(["-p", &format!("{first}:{}", first + ports::COUNT - 1)]);
    }
    if wishes.tls {
        command.args(["-Y", "3", "-2", &format!("{},{}", at("certificate.pem"), at("key.pem"))]);
    }
    command
}

fn windows(folder: &Path, port: u16) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; tests/run makes it", python.display());
    let mut command = Command::new(python);
    command.arg(root.join("tests/harness/ftp.py")).arg(folder);
    command.args([&port.to_string(), "culvert", PASSWORD, ACCOUNT]);
    command
}
