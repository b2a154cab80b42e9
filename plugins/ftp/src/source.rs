//! The server as a source: one folder at a time, and files whose bytes the host takes from the data
//! connection itself. A file counts as read when the server has said so.

mod list;
mod stat;

use std::{pin::pin, rc::Rc};

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    socket::failed,
    source::{Guest, Reading},
    stream,
    types::{Entry, Error, Object, Range},
    wasi::{clocks::monotonic_clock, sockets::types::ErrorCode},
};
use futures_util::future::{Either, select};

pub(crate) use self::{list::Lister, stat::stat};
use crate::{
    Ftp,
    control::{Command, Control, Data},
    error::refused,
    object::{self, Version},
    path::Root,
    reply::Reply,
    session::{Held, Session},
    session_of_instance, time,
};

/// How long the server's word on a transfer that was ended early is waited for, in nanoseconds. Pure-FTPd
/// under TLS says nothing in a third of all cases, whoever the client is: a new login is cheaper then.
const PARTING_WAIT: u64 = 1_000_000_000;

impl Guest for Ftp {
    async fn list(
        folder: String,
        _after: Option<String>,
    ) -> Result<(StreamReader<Entry>, FutureReader<Result<(), Error>>), Error> {
        let session = session_of_instance()?;
        let listed = Lister::open(&session, &folder).await?;
        Ok(stream::listing(async move |entries| listed.fill(entries).await))
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let session = session_of_instance()?;
        session.run(async |control, root| stat(control, root, &key).await).await
    }

    async fn read(key: String, range: Range, version: Option<String>) -> Result<Reading, Error> {
        let session = session_of_instance()?;
        read(session, Wanted { key, range, version }).await
    }
}

/// What is to be read.
struct Wanted {
    key: String,
    range: Range,
    version: Option<String>,
}

/// A reading under way on the control connection that's held.
struct Opened {
    object: Object,
    data: Data,
    bytes: StreamReader<u8>,
    received: FutureReader<Result<(), ErrorCode>>,
    /// Nobody has told yet how large the file is now.
    asks_size: bool,
}

async fn read(session: Rc<Session>, wanted: Wanted) -> Result<Reading, Error> {
    let opening = session.with(async |control, root| match known(control, &wanted) {
        Some(object) => open_known(control, root, object).await,
        None => open(control, root, &wanted).await,
    });
    let (opened, held) = opening.await?;
    let Opened { object, data, bytes, received, asks_size } = opened;
    let (size, range) = (object.size, wanted.range);
    let to_the_end = range.length.is_none_or(|length| size.is_none_or(|size| range.offset + length >= size));
    let opened = object.clone();
    let outcome = stream::outcome(async move {
        let received = received.await;
        drop(data);
        conclude(held, &opened, received, End { to_the_end, asks_size }).await
    });
    Ok(Reading { object, data: bytes, outcome })
}

/// A whole file of which the engine knows what the server would say: where it isn't so any more, the
/// number of its bytes or its time will tell in the end.
fn known(control: &Control, wanted: &Wanted) -> Option<Object> {
    let whole = wanted.range.offset == 0 && wanted.range.length.is_none() && control.features.mdtm;
    let version = wanted.version.as_deref().filter(|_| whole).and_then(Version::parse)?;
    Some(object::file(wanted.key.clone(), Some(version.size), Some(version.modified)))
}

/// Has the server send without asking it anything before.
async fn open_known(control: &mut Control, root: &Root, object: Object) -> Result<Opened, Error> {
    let path = root.path(&object.key)?;
    let socket = control.open_data().await?;
    let data = match control.begin_data(socket, &[Command::with("RETR", &path)?]).await? {
        Ok(data) => data,
        // Who refuses a file that isn't there and one that may not be read in the same words, tells only
        // of the one how large it is.
        Err(reply) if reply.code == 550 => {
            let size = control.ask(Command::with("SIZE", &path)?).await?;
            stat::file(&object.key, &size, None)?;
            return Err(refused("read", &object.key, &reply));
        }
        Err(reply) => return Err(refused("read", &object.key, &reply)),
    };
    let told = told_size(&data.word);
    if told.is_some() && told != object.size {
        control.break_off();
        return Err(changed(&object.key));
    }
    let (bytes, received) = data.socket.receive();
    Ok(Opened { object, data, bytes, received, asks_size: told.is_none() })
}

/// The size that most servers tell when they begin to send: `150 Opening BINARY mode data connection for a
/// (4096 bytes).`
fn told_size(reply: &Reply) -> Option<u64> {
    let text = reply.text();
    let (digits, _) = text.rsplit_once('(')?.1.split_once(" bytes)")?;
    digits.parse().ok()
}

fn changed(key: &str) -> Error {
    error::changed(format!("{} isn't any more what it was when it was listed", quote(key)))
}

/// Asks for size, time and a data connection in one go, and has the server send.
async fn open(control: &mut Control, root: &Root, wanted: &Wanted) -> Result<Opened, Error> {
    let Wanted { key, range, version } = wanted;
    let path = root.path(key)?;
    let mut commands = vec![Command::with("SIZE", &path)?, control.passive()];
    let has_time = control.features.mdtm;
    if has_time {
        commands.push(Command::with("MDTM", &path)?);
    }
    control.send(&commands).await?;
    let (size, passive) = (control.reply().await?, control.reply().await?);
    let time = if has_time { Some(control.reply().await?) } else { None };
    let object = stat::file(key, &size, time.as_ref())?;
    if version.is_some() && object.version.is_some() && *version != object.version {
        return Err(changed(key));
    }
    let socket = control.connect_data(passive).await?;
    let mut commands = Vec::new();
    if range.offset > 0 {
        commands.push(Command::with("REST", range.offset.to_string().as_bytes())?);
    }
    commands.push(Command::with("RETR", &path)?);
    let data = match control.begin_data(socket, &commands).await? {
        Ok(data) => data,
        Err(reply) => return Err(refused("read", key, &reply)),
    };
    let (bytes, received) = data.socket.receive();
    Ok(Opened { object, data, bytes, received, asks_size: false })
}

/// What is left to ask behind the last byte.
struct End {
    to_the_end: bool,
    asks_size: bool,
}

/// The server's word on what it sent, and whether the file stayed the same meanwhile.
async fn conclude(mut held: Held, object: &Object, received: Result<(), ErrorCode>, end: End) -> Result<(), Error> {
    let End { to_the_end, asks_size } = end;
    let root = held.root.clone();
    let Some(control) = held.control() else {
        return Err(error::connection_failed("the control connection was lost while a file was read"));
    };
    if received.is_err() || !to_the_end {
        // What the server thinks of an end that it didn't make says nothing; it may even think that it sent it all.
        let waiting = pin!(monotonic_clock::wait_for(PARTING_WAIT));
        let said = matches!(select(pin!(control.reply()), waiting).await, Either::Left(_));
        if !said {
            control.break_off();
        }
        return received.map_err(|code| failed(&format!("read {}", quote(&object.key)), &code));
    }
    let reply = control.reply().await?;
    if !reply.is_done() {
        return Err(refused("read", &object.key, &reply));
    }
    if object.modified.is_some() {
        // Where the server listens for the next file comes along with the word on this one.
        let path = root.path(&object.key)?;
        let mut commands = vec![Command::with("MDTM", &path)?, control.passive()];
        if asks_size {
            commands.insert(0, Command::with("SIZE", &path)?);
        }
        control.send(&commands).await?;
        let size = if asks_size { control.reply().await?.text().parse().ok() } else { object.size };
        let (time, passive) = (control.reply().await?, control.reply().await?);
        control.keep(passive);
        if size != object.size {
            return Err(changed(&object.key));
        }
        if time.is_done() && time::parse(&time.text()) != object.modified {
            return Err(error::changed(format!("{} was changed while it was read", quote(&object.key))));
        }
    }
    Ok(())
}

/// Reaches the folder and lists it.
///
/// # Errors
/// What's in the way.
pub(crate) async fn check(session: &Rc<Session>) -> Result<(), Error> {
    Lister::open(session, "").await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_by_some() {
        let reply = |text: &str| Reply { code: 150, lines: vec![text.as_bytes().to_vec()] };
        for (text, size) in [
            ("Opening BINARY mode data connection for a (4096 bytes).", Some(4096)),
            ("Opening BINARY mode data connection for b (1).txt (0 bytes)", Some(0)),
            ("4.0 kbytes to download", None),
            ("Here it comes (all bytes)", None),
            ("", None),
        ] {
            assert_eq!(told_size(&reply(text)), size, "{text}");
        }
    }
}
