//! One control connection: commands out, replies in, and data connections beside it. Knows when it
//! can't be used any more; makes no second one.

mod data;
mod login;

use std::rc::Rc;

use culvert_sdk::{
    error,
    socket::{Lines, Socket},
    types::Error,
    wasi::sockets::types::IpAddress,
};

pub(crate) use self::data::Data;
use self::data::Reserve;
use crate::{
    error::refused,
    features::Features,
    reply::{Incoming, MAX_LINE_BYTES, Reply},
};

/// A connection that's logged in.
pub(crate) struct Control {
    // Streams before the socket that they belong to.
    lines: Lines,
    socket: Rc<Socket>,
    peer: IpAddress,
    bind: Option<IpAddress>,
    /// Data connections are under TLS too.
    protected: bool,
    /// The login brought something to resume the TLS session with.
    resumes: bool,
    /// The server negotiates TLS on data connections before it says that it takes them.
    eager: bool,
    /// Whether EPSV is tried, and until it's refused.
    epsv: bool,
    /// Where the server listens for the next data connection.
    reserve: Option<Reserve>,
    pub(crate) features: Features,
    /// The folder that the login began in.
    pub(crate) home: Vec<u8>,
    broken: bool,
    /// Replies since the present operation began.
    answered: u32,
}

// === impl Control ===

impl Control {
    /// Sends commands in one piece and doesn't wait: each has a reply coming.
    pub(crate) async fn send(&mut self, commands: &[Command]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for command in commands {
            bytes.extend_from_slice(&command.0);
            bytes.extend_from_slice(b"\r\n");
        }
        let sent = self.lines.send(bytes).await;
        self.noting(sent)
    }

    /// The next reply, whatever it says.
    pub(crate) async fn reply(&mut self) -> Result<Reply, Error> {
        let read = self.read_reply().await;
        let reply = self.noting(read)?;
        self.answered += 1;
        if reply.code == 421 {
            self.broken = true;
            return Err(refused("go on with", "", &reply));
        }
        if self.protected && matches!(reply.code, 425 | 522) {
            // The session's tickets may be used up: a fresh connection has fresh ones.
            self.broken = true;
        }
        Ok(reply)
    }

    /// One command and its reply.
    pub(crate) async fn ask(&mut self, command: Command) -> Result<Reply, Error> {
        self.send(&[command]).await?;
        self.reply().await
    }

    /// Another operation begins: what fails before its first reply failed because the connection had
    /// died meanwhile.
    pub(crate) fn begin(&mut self) {
        self.answered = 0;
    }

    /// Whether a server that demands that data connections resume its TLS session would refuse the
    /// next one: it gave tickets, and they are used up.
    pub(crate) fn is_spent(&self) -> bool {
        self.resumes && !self.socket.is_resumable()
    }

    /// Says goodbye, so that the server counts one connection less before it's asked for another.
    pub(crate) async fn leave(mut self) {
        // One that's gone already needs no goodbye.
        let _ = self.ask(Command::new("QUIT")).await;
    }

    /// Whether it can't be used any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether it had died before the operation began.
    pub(crate) fn was_dead(&self) -> bool {
        self.broken && self.answered == 0
    }

    /// Gives the connection up: nobody knows which reply would be the next.
    pub(crate) fn break_off(&mut self) {
        self.broken = true;
    }

    async fn read_reply(&mut self) -> Result<Reply, Error> {
        let mut incoming = Incoming::default();
        loop {
            let line = self.lines.next(MAX_LINE_BYTES).await?;
            if let Some(reply) = incoming.take(line)? {
                return Ok(reply);
            }
        }
    }

    fn noting<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.broken |= result.is_err();
        result
    }
}

/// A command line that can't be two.
pub(crate) struct Command(Vec<u8>);

// === impl Command ===

impl Command {
    pub(crate) fn new(verb: &str) -> Self {
        Self(verb.as_bytes().to_vec())
    }

    /// With an argument. Paths come from [`crate::path::Root`], which refuses what ends a line; this
    /// is the last gate.
    ///
    /// # Errors
    /// `invalid-key`.
    pub(crate) fn with(verb: &str, argument: &[u8]) -> Result<Self, Error> {
        if argument.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(error::invalid_key("a line break or a NUL can't be sent to an FTP server"));
        }
        let mut line = verb.as_bytes().to_vec();
        line.push(b' ');
        line.extend_from_slice(argument);
        Ok(Self(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line() {
        assert!(Command::with("RETR", b"/a b").is_ok_and(|command| command.0 == b"RETR /a b"));
        for argument in [&b"a\r\nDELE b"[..], b"a\nb", b"a\0"] {
            assert!(Command::with("RETR", argument).is_err());
        }
    }
}
