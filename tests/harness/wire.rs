//! The wire between the engine and a server: a TCP proxy that counts and times what goes through, and
//! breaks it as it's told to. Looks at HTTP only as far as the head of each request.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::SndBuf};

/// Bytes that are passed on at once.
const BLOCK: usize = 64 * 1024;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is closed where the answer would begin.
    Reset,
    /// `503 SlowDown`; the server doesn't hear of the request.
    SlowDown,
    /// The same, asking to come back after a second.
    SlowDownForASecond,
    /// `500 InternalError`; the server doesn't hear of the request.
    Failed,
    /// The server answers, and nothing of it arrives.
    Stall,
    /// The answer ends after half of what it announced, or a few bytes.
    Truncated,
}

/// Which request has which fault, by its number from 0.
pub(crate) type Plan = fn(u64) -> Option<Fault>;

/// What is answered to a request, by its head (the first line, then the headers), instead of what the
/// server would.
pub(crate) type Answers = fn(&str) -> Option<Canned>;

/// An answer of S3's.
#[derive(Debug, Clone)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    /// Whole lines, each with its end.
    pub(crate) headers: &'static str,
    pub(crate) body: String,
}

/// A proxy in front of a server; ended when it's dropped.
pub(crate) struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    delay: Duration,
    plan: Plan,
    answers: Answers,
    begin: Instant,
    ended: AtomicBool,
    requests: AtomicU64,
    /// Bytes to the server and from it, with the time at which they passed.
    passed: Mutex<Vec<(Duration, u64)>>,
    heads: Mutex<Vec<(Duration, String)>>,
}

// === impl Wire ===

impl Wire {
    /// In front of a port of this machine, without a fault.
    pub(crate) fn before(server: u16) -> Self {
        Self::with_faults(server, Duration::ZERO, |_| None)
    }

    /// Every answer comes later by `delay`, and some requests fail.
    pub(crate) fn with_faults(server: u16, delay: Duration, plan: Plan) -> Self {
        Self::start(server, delay, plan, |_| None)
    }

    /// Some requests are answered here.
    pub(crate) fn answering(server: u16, answers: Answers) -> Self {
        Self::start(server, Duration::ZERO, |_| None, answers)
    }

    fn start(server: u16, delay: Duration, plan: Plan, answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            delay,
            plan,
            answers,
            begin: Instant::now(),
            ended: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            passed: Mutex::default(),
            heads: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(client));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// When each request came, and its first line.
    pub(crate) fn lines(&self) -> Vec<(Duration, String)> {
        let first = |head: String| head.lines().next().unwrap_or_default().to_owned();
        self.heads().into_iter().map(|(when, head)| (when, first(head))).collect()
    }

    /// The same with all headers, as they were written.
    pub(crate) fn heads(&self) -> Vec<(Duration, String)> {
        self.shared.heads.lock().unwrap().clone()
    }

    /// When how many bytes passed, in both directions.
    pub(crate) fn passed(&self) -> Vec<(Duration, u64)> {
        let mut passed = self.shared.passed.lock().unwrap().clone();
        passed.sort_unstable();
        passed
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the one who accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

// === impl Shared ===

impl Shared {
    /// One connection of the engine: request after request, each with its answer.
    fn serve(&self, mut client: TcpStream) {
        client.set_nodelay(true).unwrap();
        // What lies in a buffer here would count as passed.
        setsockopt(&client, SndBuf, &BLOCK).unwrap();
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.server)) else { return };
        server.set_nodelay(true).unwrap();
        let mut request = Message::default();
        let mut answer = Message::default();
        while let Some(head) = request.head(&mut client) {
            let is_head = head.starts_with("HEAD ");
            let fault = (self.plan)(self.requests.fetch_add(1, Ordering::Relaxed));
            let canned = (self.answers)(&head).or_else(|| fault.and_then(Canned::of));
            self.heads.lock().unwrap().push((self.begin.elapsed(), head.clone()));
            if let Some(canned) = canned {
                // The body is taken first: a client may read only when it has sent everything.
                let taken = request.pass(&head, false, &mut client, None, u64::MAX, self);
                if taken.is_none() || client.write_all(canned.text(is_head).as_bytes()).is_err() {
                    return;
                }
                continue;
            }
            if request.pass(&head, false, &mut client, Some(&mut server), u64::MAX, self).is_none() {
                break;
            }
            let Some(head) = answer.head(&mut server) else { break };
            thread::sleep(self.delay);
            if fault == Some(Fault::Stall) {
                // Until the client has had enough of it.
                let _ = client.read(&mut [0]);
            }
            if matches!(fault, Some(Fault::Reset | Fault::Stall)) {
                break;
            }
            let limit = if fault == Some(Fault::Truncated) { length(&head) / 2 + 40 } else { u64::MAX };
            if answer.pass(&head, is_head, &mut server, Some(&mut client), limit, self).is_none() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }

    fn count(&self, bytes: usize) {
        self.passed.lock().unwrap().push((self.begin.elapsed(), bytes as u64));
    }
}

// === impl Canned ===

impl Canned {
    /// S3's form of an error.
    pub(crate) fn error(status: u16, code: &str, words: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>{words}</Message></Error>");
        Self { status, headers: "", body }
    }

    fn of(fault: Fault) -> Option<Self> {
        let slow = || Self::error(503, "SlowDown", "Please reduce your request rate.");
        match fault {
            Fault::SlowDown => Some(slow()),
            Fault::SlowDownForASecond => Some(Self { headers: "retry-after: 1\r\n", ..slow() }),
            Fault::Failed => Some(Self::error(500, "InternalError", "We encountered an internal error.")),
            Fault::Reset | Fault::Stall | Fault::Truncated => None,
        }
    }

    fn text(&self, is_head: bool) -> String {
        let Self { status, headers, body } = self;
        let shown = if is_head { "" } else { body };
        format!(
            "HTTP/1.1 {status} Canned\r\ncontent-length: {}\r\ncontent-type: application/xml\r\n{headers}\r\n{shown}",
            body.len()
        )
    }
}

/// What of one direction was read and not yet passed on.
#[derive(Default)]
struct Message(Vec<u8>);

// === impl Message ===

impl Message {
    /// The next head with its empty line; none at the end of the connection.
    fn head(&mut self, from: &mut TcpStream) -> Option<String> {
        loop {
            if let Some(end) = self.0.windows(4).position(|it| it == b"\r\n\r\n") {
                let head: Vec<u8> = self.0.drain(..end + 4).collect();
                let head = String::from_utf8(head).unwrap();
                // "100 Continue" and its like aren't the answer yet.
                if !head.starts_with("HTTP/1.1 1") {
                    return Some(head);
                }
                continue;
            }
            let mut block = [0; BLOCK];
            match from.read(&mut block) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.0.extend_from_slice(&block[..count]),
            }
        }
    }

    /// Passes a head and its body on, at most `limit` bytes; none if the connection ended.
    fn pass(
        &mut self,
        head: &str,
        is_head: bool,
        from: &mut TcpStream,
        mut to: Option<&mut TcpStream>,
        limit: u64,
        shared: &Shared,
    ) -> Option<()> {
        let mut budget = limit;
        let mut send = |bytes: &[u8]| {
            let fits = usize::try_from(budget).unwrap_or(usize::MAX).min(bytes.len());
            budget -= fits as u64;
            shared.count(fits);
            let sent = to.as_mut().is_none_or(|to| to.write_all(&bytes[..fits]).is_ok());
            (sent && fits == bytes.len()).then_some(())
        };
        send(head.as_bytes())?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let mut left = if is_head { 0 } else { length(head) };
        let mut seen = Vec::new();
        while left > 0 || (chunked && !is_head && !seen.ends_with(b"0\r\n\r\n")) {
            if self.0.is_empty() {
                let mut block = [0; BLOCK];
                match from.read(&mut block) {
                    Ok(0) | Err(_) => return None,
                    Ok(count) => self.0.extend_from_slice(&block[..count]),
                }
            }
            let count = if chunked { self.0.len() } else { self.0.len().min(usize::try_from(left).unwrap()) };
            let bytes: Vec<u8> = self.0.drain(..count).collect();
            send(&bytes)?;
            left = left.saturating_sub(count as u64);
            seen.extend_from_slice(&bytes[bytes.len().saturating_sub(5)..]);
            seen.drain(..seen.len().saturating_sub(5));
        }
        Some(())
    }
}

fn length(head: &str) -> u64 {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"));
    line.map_or(0, |line| line.split_once(':').unwrap().1.trim().parse().unwrap())
}
