//! Data connections: asked for with EPSV or PASV, always to the control connection's own host, and
//! under the same TLS session.

use std::{pin::pin, rc::Rc};

use culvert_sdk::{error, socket::Socket, types::Error, wasi::clocks::monotonic_clock};
use futures_util::future::{Either, select};

use super::{Command, Control};
use crate::{error::refused, reply::Reply};

/// How long the server's word on a transfer is waited for before TLS begins without it, in
/// nanoseconds: a round trip around the world.
const WORD_WAIT: u64 = 400_000_000;

/// How long a data connection may be made to where the server said that it listens, in nanoseconds:
/// servers and firewalls give up waiting after some tens of seconds.
const RESERVE_TIME: u64 = 5_000_000_000;

/// The server's word on where it listens, asked for along with the end of another transfer.
pub(super) struct Reserve {
    reply: Reply,
    since: u64,
}

/// A data connection, its command sent and accepted.
pub(crate) struct Data {
    pub(crate) socket: Socket,
    /// What the server said when it took the command.
    pub(crate) word: Reply,
}

impl Control {
    /// The command that asks for a data connection, to be sent along with others. The server stops
    /// listening where it listened before.
    pub(crate) fn passive(&mut self) -> Command {
        self.reserve = None;
        Command::new(if self.epsv { "EPSV" } else { "PASV" })
    }

    /// Keeps the reply to [`Self::passive`] for the next transfer, which saves it a round trip.
    pub(crate) fn keep(&mut self, reply: Reply) {
        self.reserve = reply.is_done().then(|| Reserve { reply, since: monotonic_clock::now() });
    }

    /// Connects to where the server listens already, or asks it to.
    pub(crate) async fn open_data(&mut self) -> Result<Socket, Error> {
        if let Some(Reserve { reply, since }) = self.reserve.take()
            && monotonic_clock::now().saturating_sub(since) < RESERVE_TIME
            && let Ok(socket) = self.connect_data(reply).await
        {
            return Ok(socket);
        }
        let passive = self.passive();
        let reply = self.ask(passive).await?;
        self.connect_data(reply).await
    }

    /// Connects to where the reply to [`Self::passive`] says.
    pub(crate) async fn connect_data(&mut self, mut reply: Reply) -> Result<Socket, Error> {
        if self.epsv && !reply.is_done() {
            // Only once: the server won't learn it.
            self.epsv = false;
            reply = self.ask(Command::new("PASV")).await?;
        }
        let port = if self.epsv { extended_port(&reply) } else { passive_port(&reply) };
        let Some(port) = port else {
            return Err(match reply.is_done() {
                true => error::protocol(format!("the server names no port for data: it says {}", reply.shown())),
                false => refused("open a data connection for", "", &reply),
            });
        };
        // Whatever address PASV names: a server behind a router names one that can't be reached, a
        // hostile one somebody else's.
        Socket::connect(&[self.peer], port, self.bind).await
    }

    /// Sends the command that uses a data connection and waits until the server takes it. The reply
    /// that refused it is the inner error.
    pub(crate) async fn begin_data(
        &mut self,
        socket: Socket,
        commands: &[Command],
    ) -> Result<Result<Data, Reply>, Error> {
        self.send(commands).await?;
        if !self.protected {
            let reply = self.taken(commands.len()).await?;
            return Ok(if is_taken(&reply) { Ok(Data { socket, word: reply }) } else { Err(reply) });
        }
        let control = Rc::clone(&self.socket);
        let mut eager = self.eager;
        let (negotiated, taken) = {
            let mut taking = pin!(self.taken(commands.len()));
            // A handshake that the server refuses afterwards spends one of TLS 1.3's tickets, so it
            // begins with the server's word; some servers negotiate before they say it.
            let mut word = None;
            if !eager {
                match select(taking.as_mut(), pin!(monotonic_clock::wait_for(WORD_WAIT))).await {
                    Either::Left((taken, _)) => word = Some(taken?),
                    Either::Right(_) => eager = true,
                }
            }
            match word {
                Some(refusal) if !is_taken(&refusal) => return Ok(Err(refusal)),
                Some(taken) => (socket.resume_tls(&control).await, taken),
                None => match select(taking.as_mut(), pin!(socket.resume_tls(&control))).await {
                    Either::Left((taken, negotiating)) => match taken? {
                        taken if is_taken(&taken) => (negotiating.await, taken),
                        refusal => return Ok(Err(refusal)),
                    },
                    Either::Right((negotiated, taking)) => (negotiated, taking.await?),
                },
            }
        };
        self.eager = eager;
        match negotiated {
            _ if !is_taken(&taken) => Ok(Err(taken)),
            Ok(()) => Ok(Ok(Data { socket, word: taken })),
            Err(failed) => self.explain(failed).await,
        }
    }

    /// The reply to the last of some commands, all but which prepare it (REST).
    async fn taken(&mut self, commands: usize) -> Result<Reply, Error> {
        let mut reply = self.reply().await?;
        for _ in 1..commands {
            if reply.code != 350 {
                self.break_off();
                return Ok(reply);
            }
            reply = self.reply().await?;
        }
        Ok(reply)
    }

    /// A data connection that gets no TLS says nothing; the server does, on the control connection.
    async fn explain(&mut self, failed: Error) -> Result<Result<Data, Reply>, Error> {
        match self.reply().await {
            Ok(reply) if !reply.is_done() => Ok(Err(reply)),
            _ => {
                self.break_off();
                Err(failed)
            }
        }
    }
}

/// Whether the server goes on to use the data connection.
fn is_taken(reply: &Reply) -> bool {
    matches!(reply.code, 125 | 150)
}

/// `229 Entering Extended Passive Mode (|||6446|)` (RFC 2428).
fn extended_port(reply: &Reply) -> Option<u16> {
    let text = reply.text();
    let inner = text.rsplit_once('(')?.1.split_once(')')?.0;
    let mut characters = inner.chars();
    let mark = characters.next().filter(|_| reply.code == 229)?;
    let fields: Vec<_> = characters.as_str().split(mark).collect();
    match fields.as_slice() {
        [_, _, port, ""] => port.parse().ok().filter(|port| *port > 0),
        _ => None,
    }
}

/// `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)`: six numbers, with or without brackets.
fn passive_port(reply: &Reply) -> Option<u16> {
    let text = reply.text();
    let begin = text.find(|character: char| character.is_ascii_digit()).filter(|_| reply.code == 227)?;
    let numbers = text[begin..].split(|character: char| !character.is_ascii_digit() && character != ',').next()?;
    let numbers: Vec<u8> = numbers.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        [_, _, _, _, high, low] => Some(u16::from(*high) << 8 | u16::from(*low)).filter(|port| *port > 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply { code, lines: vec![text.as_bytes().to_vec()] }
    }

    #[test]
    fn ports_are_found() {
        assert_eq!(extended_port(&reply(229, "Entering Extended Passive Mode (|||6446|).")), Some(6446));
        assert_eq!(extended_port(&reply(229, "Extended Passive mode OK (!!!6446!)")), Some(6446));
        for (code, text) in
            [(229, "(|||0|)"), (229, "(|||65536|)"), (229, "(|||6446)"), (229, "6446"), (500, "(|||6446|)")]
        {
            assert_eq!(extended_port(&reply(code, text)), None, "{text}");
        }
        for text in
            ["Entering Passive Mode (127,0,0,1,25,46).", "Entering Passive Mode 127,0,0,1,25,46", "=127,0,0,1,25,46"]
        {
            assert_eq!(passive_port(&reply(227, text)), Some(25 * 256 + 46), "{text}");
        }
        for text in ["Entering Passive Mode (127,0,0,1,25)", "(127,0,0,1,25,256)", "(127,0,0,1,0,0)", "none"] {
            assert_eq!(passive_port(&reply(227, text)), None, "{text}");
        }
    }
}
