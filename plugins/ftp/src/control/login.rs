//! From a host's name to a connection that's logged in: greeting, TLS, user, password, account, what
//! the server can do, and the ways it's told to work.

use std::rc::Rc;

use culvert_sdk::{
    error,
    socket::{Socket, resolve},
    types::Error,
    wasi::sockets::types::IpAddress,
};

use super::{Command, Control};
use crate::{
    config::{Config, Encoding, Protection, TlsVersion},
    error::login,
    features::Features,
    reply::Reply,
};

impl Control {
    /// Connects and logs in, with this version of TLS or an older one.
    ///
    /// # Errors
    /// `connection-failed`, `timeout`, `unauthenticated`, `crowded` where the server has enough
    /// connections, `unsupported` where it can't do what the table asks for.
    pub(crate) async fn connect(config: &Config, newest: TlsVersion) -> Result<Self, Error> {
        let endpoint = &config.endpoint;
        let bind = config.bind.map(address);
        let addresses = resolve(&endpoint.host).await?;
        let socket = Socket::connect(&addresses, endpoint.port, bind).await?;
        if endpoint.protection == Protection::Implicit {
            socket.start_tls(config.tls(newest)).await?;
        }
        let (peer, lines) = (socket.peer()?, socket.lines());
        let mut control = Self {
            lines,
            socket: Rc::new(socket),
            peer,
            bind,
            protected: endpoint.protection != Protection::None,
            resumes: false,
            eager: false,
            epsv: config.epsv,
            reserve: None,
            features: Features::default(),
            home: b"/".to_vec(),
            broken: false,
            answered: 0,
        };
        control.enter(config, newest).await?;
        control.set_up(config).await?;
        // Tickets come right behind the handshake, so before the replies that were read by now.
        control.resumes = control.socket.is_resumable();
        Ok(control)
    }

    async fn enter(&mut self, config: &Config, newest: TlsVersion) -> Result<(), Error> {
        let secrets = [config.password.expose(), config.account.as_ref().map_or("", |account| account.expose())];
        let mut greeting = self.first_reply("the greeting").await?;
        while greeting.code == 120 {
            greeting = self.first_reply("the greeting").await?;
        }
        if !greeting.is_done() {
            return Err(login("the greeting", &greeting, &secrets));
        }
        if config.endpoint.protection == Protection::Explicit {
            self.start_tls(config, newest).await?;
        }
        let user = Command::with("USER", config.user.as_bytes()).map_err(unfit("user"))?;
        let mut reply = self.login_reply(user, "USER").await?;
        if reply.code == 331 {
            let password = Command::with("PASS", config.password.expose().as_bytes()).map_err(unfit("password"))?;
            reply = self.login_reply(password, "PASS").await?;
        }
        if reply.code == 332 {
            let Some(account) = &config.account else {
                return Err(error::unauthenticated("the server asks for an account; write account in the table"));
            };
            let account = Command::with("ACCT", account.expose().as_bytes()).map_err(unfit("account"))?;
            reply = self.login_reply(account, "ACCT").await?;
        }
        if reply.is_done() { Ok(()) } else { Err(login("USER and PASS", &reply, &secrets)) }
    }

    /// RFC 4217. What came in clear behind the server's word must not count as protected.
    async fn start_tls(&mut self, config: &Config, newest: TlsVersion) -> Result<(), Error> {
        let reply = self.login_reply(Command::new("AUTH TLS"), "AUTH TLS").await?;
        if !matches!(reply.code, 234 | 334) {
            return Err(error::unsupported(format!(
                "the server doesn't begin TLS: it says {}; write ftps:// if it speaks TLS from the first byte",
                reply.shown()
            )));
        }
        if self.lines.has_more() {
            return Err(error::protocol("the server sent something in clear behind its word to begin TLS"));
        }
        self.socket.start_tls(config.tls(newest)).await
    }

    async fn set_up(&mut self, config: &Config) -> Result<(), Error> {
        let features = self.ask(Command::new("FEAT")).await?;
        self.features = Features::parse(&features);
        if !config.mlsd {
            self.features.mlst = false;
        }
        let utf8 = config.encoding == Encoding::Utf8 && self.features.utf8;
        let mut commands = vec![Command::new("TYPE I"), Command::new("PWD")];
        if utf8 {
            commands.push(Command::new("OPTS UTF8 ON"));
        }
        if self.protected {
            commands.extend([Command::new("PBSZ 0"), Command::new("PROT P")]);
        }
        self.send(&commands).await?;
        let binary = self.reply().await?;
        if !binary.is_done() {
            return Err(error::unsupported(format!("the server refuses TYPE I: it says {}", binary.shown())));
        }
        let folder = self.reply().await?;
        self.home = quoted(&folder).unwrap_or_else(|| b"/".to_vec());
        if utf8 {
            // A server that refuses writes UTF-8 anyway, or names show what it does.
            self.reply().await?;
        }
        if self.protected {
            self.reply().await?;
            let private = self.reply().await?;
            if !private.is_done() {
                let says = private.shown();
                return Err(error::unsupported(format!("the server doesn't protect data connections: it says {says}")));
            }
        }
        Ok(())
    }

    /// A reply during the login, 421 too: it may say that there are enough connections.
    async fn login_reply(&mut self, command: Command, step: &str) -> Result<Reply, Error> {
        self.send(&[command]).await?;
        self.first_reply(step).await
    }

    async fn first_reply(&mut self, step: &str) -> Result<Reply, Error> {
        let reply = self.read_reply().await?;
        if reply.code == 421 { Err(login(step, &reply, &[])) } else { Ok(reply) }
    }
}

/// A login's word that can't be sent is the table's fault.
fn unfit(key: &'static str) -> impl Fn(Error) -> Error {
    move |error| error::invalid_config(format!("{key}: {}", error.message))
}

fn address(address: std::net::IpAddr) -> IpAddress {
    match address {
        std::net::IpAddr::V4(address) => IpAddress::Ipv4(address.octets().into()),
        std::net::IpAddr::V6(address) => IpAddress::Ipv6(address.segments().into()),
    }
}

/// The path in a reply to PWD: between quotes, of which doubled ones stand for one.
fn quoted(reply: &Reply) -> Option<Vec<u8>> {
    let line = reply.lines.last().filter(|_| reply.code == 257)?;
    let begin = line.iter().position(|byte| *byte == b'"')? + 1;
    let mut path = Vec::new();
    let mut rest = line[begin..].iter().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' if rest.peek() == Some(&&b'"') => path.extend(rest.next()),
            b'"' => return path.starts_with(b"/").then_some(path),
            byte => path.push(*byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_between_quotes() {
        let home = |code, line: &[u8]| quoted(&Reply { code, lines: vec![line.to_vec()] });
        assert_eq!(home(257, br#""/a b" is the current directory"#), Some(b"/a b".to_vec()));
        assert_eq!(home(257, br#""/a ""b""" is it"#), Some(br#"/a "b""#.to_vec()));
        for line in [&b"no quotes"[..], br#""relative""#, br#""/unfinished"#] {
            assert_eq!(home(257, line), None);
        }
        assert_eq!(home(550, br#""/a""#), None);
    }
}
