//! Between the engine and an FTP server under TLS, whose replies nobody on the way can read: listens at an address
//! of its own, on those ports too that the server was told to use for data, and cuts transfers short.
//! Changes no byte.

use std::{
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use super::proxy::{Cut, Transfer, carry};

/// Where it listens; the server does so at 127.0.0.1.
pub(crate) const ADDRESS: &str = "127.0.0.2";
/// Ports for data. A server takes one at a time and connection.
pub(crate) const COUNT: u16 = 32;
/// Below those that the system gives to whoever asks for any.
const LOWEST: u16 = 20_000;
const HIGHEST: u16 = 32_000;

/// Ports that nobody else listens on.
pub(crate) struct Ports {
    pub(crate) first: u16,
    listeners: Vec<TcpListener>,
}

/// Running; ends with its test.
pub(crate) struct Cutter {
    /// Where it's spoken to.
    pub(crate) port: u16,
    cuts: Arc<AtomicU32>,
}

// === impl Ports ===

impl Ports {
    pub(crate) fn reserve() -> Self {
        let start = u16::try_from(std::process::id() % u32::from(HIGHEST - LOWEST)).unwrap();
        let places = (0..HIGHEST - LOWEST).step_by(COUNT.into());
        for first in places.map(|place| LOWEST + (start + place) % (HIGHEST - LOWEST)) {
            let ports = first..first + COUNT;
            // The server must find them free too.
            if !ports.clone().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
                continue;
            }
            if let Ok(listeners) = ports.map(|port| TcpListener::bind((ADDRESS, port))).collect() {
                return Self { first, listeners };
            }
        }
        panic!("no {COUNT} ports in a row are free");
    }

    /// Begins to carry to the server on this port.
    pub(crate) fn carry(self, server: u16, cut: Cut) -> Cutter {
        let cuts = Arc::new(AtomicU32::new(0));
        let control = TcpListener::bind((ADDRESS, 0)).unwrap();
        let port = control.local_addr().unwrap().port();
        for (listener, cut) in self.listeners.into_iter().map(|listener| (listener, Some(cut))).chain([(control, None)])
        {
            let cuts = Arc::clone(&cuts);
            thread::spawn(move || {
                let to = if cut.is_some() { listener.local_addr().unwrap().port() } else { server };
                for client in listener.incoming().map_while(Result::ok) {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                    let (back, onward) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let one_way = |from, to, direction| {
                        let (cut, cuts) = (cut.filter(|cut| cut.transfer == direction), Arc::clone(&cuts));
                        thread::spawn(move || carry(from, to, cut, &cuts, || true))
                    };
                    one_way(client, onward, Transfer::Upload);
                    one_way(server, back, Transfer::Download);
                }
            });
        }
        Cutter { port, cuts }
    }
}

// === impl Cutter ===

impl Cutter {
    /// Transfers cut so far.
    pub(crate) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}
