//! Between the engine and an FTP server in clear: follows data connections through `229` replies,
//! cuts transfers short and drops control connections when it's told to. Changes no byte of payload.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering},
    },
    thread,
};

/// Which transfers are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    Download,
    Upload,
}

/// Cuts the first `times` transfers of this kind after so many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) transfer: Transfer,
    pub(crate) after: usize,
    pub(crate) times: u32,
}

/// A running proxy; ends with its test.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: AtomicU16,
    cut: Option<Cut>,
    cuts: AtomicU32,
    controls: Mutex<Vec<TcpStream>>,
    accepted: AtomicU32,
    /// Data connections.
    data: AtomicU32,
    uploads: AtomicU32,
    clients: Mutex<BTreeSet<IpAddr>>,
    stopped: AtomicBool,
}

/// One control connection's last transfer command.
type Last = Arc<Mutex<Option<Transfer>>>;

// === impl Proxy ===

impl Proxy {
    pub(crate) fn start(server: u16, cut: Option<Cut>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: AtomicU16::new(server),
            cut,
            cuts: AtomicU32::new(0),
            controls: Mutex::default(),
            accepted: AtomicU32::new(0),
            data: AtomicU32::new(0),
            uploads: AtomicU32::new(0),
            clients: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || control(&shared, client));
            }
        });
        Self { port, shared }
    }

    /// Transfers cut so far.
    pub(crate) fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Control connections so far.
    pub(crate) fn controls(&self) -> u32 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Connections so far, for data too.
    pub(crate) fn connections(&self) -> u32 {
        self.controls() + self.shared.data.load(Ordering::SeqCst)
    }

    /// Uploads that were asked for so far.
    pub(crate) fn uploads(&self) -> u32 {
        self.shared.uploads.load(Ordering::SeqCst)
    }

    /// The addresses that connections came from.
    pub(crate) fn clients(&self) -> Vec<String> {
        self.shared.clients.lock().unwrap().iter().map(IpAddr::to_string).collect()
    }

    /// Cuts every control connection there is.
    pub(crate) fn drop_controls(&self) {
        for control in self.shared.controls.lock().unwrap().drain(..) {
            // It may have ended by itself.
            let _ = control.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.drop_controls();
        // Wakes the one who accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn control(shared: &Arc<Shared>, client: TcpStream) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server.load(Ordering::SeqCst))) else { return };
    for side in [&client, &server] {
        side.set_nodelay(true).unwrap();
        shared.controls.lock().unwrap().push(side.try_clone().unwrap());
    }
    shared.accepted.fetch_add(1, Ordering::SeqCst);
    shared.clients.lock().unwrap().insert(client.peer_addr().unwrap().ip());
    let last = Last::default();
    let (from, mut to, heard) = (client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&last));
    let counting = Arc::clone(shared);
    thread::spawn(move || {
        each_line(from, |line| {
            let transfer = match line.get(..4) {
                Some(b"RETR") => Some(Transfer::Download),
                Some(b"STOR") => Some(Transfer::Upload),
                _ => None,
            };
            counting.uploads.fetch_add(u32::from(transfer == Some(Transfer::Upload)), Ordering::SeqCst);
            if transfer.is_some() {
                *heard.lock().unwrap() = transfer;
            }
            to.write_all(&line).is_ok()
        });
        let _ = to.shutdown(Shutdown::Write);
    });
    let mut to = client;
    each_line(server, |line| {
        let line = if line.starts_with(b"229") { data(shared, &last, &line) } else { line };
        to.write_all(&line).is_ok()
    });
    let _ = to.shutdown(Shutdown::Both);
}

fn each_line(from: TcpStream, mut take: impl FnMut(Vec<u8>) -> bool) {
    let mut reader = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).is_err() || line.is_empty() || !take(line) {
            return;
        }
    }
}

/// Opens a way to the port in the reply, and returns the reply with its own.
fn data(shared: &Arc<Shared>, last: &Last, reply: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(reply.to_vec()).unwrap();
    let port: u16 = text.rsplit('|').nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let (shared, last) = (Arc::clone(shared), Arc::clone(last));
    *last.lock().unwrap() = None;
    thread::spawn(move || {
        let (Ok((client, _)), Ok(server)) = (listener.accept(), TcpStream::connect(("127.0.0.1", port))) else {
            return;
        };
        shared.data.fetch_add(1, Ordering::SeqCst);
        shared.clients.lock().unwrap().insert(client.peer_addr().unwrap().ip());
        let (client_out, server_out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let one_way = |from, to, direction| {
            let (shared, last) = (Arc::clone(&shared), Arc::clone(&last));
            let cut = shared.cut.filter(|cut| cut.transfer == direction);
            move || carry(from, to, cut, &shared.cuts, || *last.lock().unwrap() == Some(direction))
        };
        let up = thread::spawn(one_way(client, server_out, Transfer::Upload));
        one_way(server, client_out, Transfer::Download)();
        let _ = up.join();
    });
    text.replace(&format!("|{port}|"), &format!("|{own}|")).into_bytes()
}

/// Carries one direction of a connection to its end. Where `is_it` says that it's such a transfer, it may be cut.
pub(super) fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    cut: Option<Cut>,
    cuts: &AtomicU32,
    is_it: impl Fn() -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut carried = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(cut) = cut
            && is_it()
            && carried + count > cut.after
            && cuts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cuts| (cuts < cut.times).then_some(cuts + 1))
                .is_ok()
        {
            // A clean end on both sides: what a router does that has enough.
            let _ = to.write_all(&buffer[..cut.after - carried]);
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        carried += count;
    }
    let _ = to.shutdown(Shutdown::Write);
}
