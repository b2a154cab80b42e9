//! A forward proxy in front of one server of this machine: remembers who came and with which heads, and
//! lets bytes through untouched. Resolves no name: whatever is asked for is that server.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Longest head in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A running proxy; ends with its test.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    ended: AtomicBool,
    visits: Mutex<Vec<Visit>>,
}

/// One connection.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) from: IpAddr,
    /// Of its first request.
    pub(crate) head: String,
}

// === impl Gate ===

impl Gate {
    pub(crate) fn on(address: IpAddr, server: u16) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { server, ended: AtomicBool::new(false), visits: Mutex::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks is the engine's to report.
                thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.shared.visits.lock().unwrap().clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the one who accepts.
        let _ = TcpStream::connect(self.address);
    }
}

// === impl Shared ===

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let (mut head, mut block) = (Vec::new(), [0; 4096]);
        while !head.windows(4).any(|it| it == b"\r\n\r\n") && head.len() < MAX_HEAD {
            let count = client.read(&mut block)?;
            if count == 0 {
                return Ok(());
            }
            head.extend_from_slice(&block[..count]);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let is_tunnel = text.starts_with("CONNECT ");
        self.visits.lock().unwrap().push(Visit { from: client.peer_addr()?.ip(), head: text });
        let mut server = TcpStream::connect(("127.0.0.1", self.server))?;
        if is_tunnel {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        } else {
            server.write_all(&head)?;
        }
        let (mut client_in, mut server_out) = (client.try_clone()?, server.try_clone()?);
        let up = thread::spawn(move || {
            let _ = io::copy(&mut client_in, &mut server_out);
            let _ = server_out.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut server, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = up.join();
        Ok(())
    }
}
