//! Writing: a file under a temporary name, held against what was sent, given its time and then its
//! own name; folders where they're missing. Leaves nothing behind where it fails.

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    key::folder,
    sink::Replace,
    stream,
    types::{Checksum, Error, Object},
};

use super::Sink;
use crate::{
    control::{Command, Control, Data},
    error::refused,
    object,
    path::Root,
    reply::Reply,
    source, time,
};

/// What the engine says after the last byte.
type Whole = FutureReader<Result<Vec<Checksum>, Error>>;

/// How a time is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SetTime {
    /// draft-somers-ftp-mfxx.
    Mfmt,
    /// `MDTM <time> <path>`, as vsftpd takes it.
    Mdtm,
}

impl Sink {
    pub(super) async fn put_file(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: Whole,
        replace: Replace,
    ) -> Result<Object, Error> {
        let temporary = self.names.beside(&object.key);
        let begun = self.session.with(async |control, root| begin_file(control, root, &object.key, &temporary).await);
        let (begun, mut held) = begun.await?;
        let root = held.root.clone();
        let Some(control) = held.control() else { return Err(lost(&object.key)) };
        let put = self.fill(control, &root, &object, (&temporary, begun), (data, whole), replace).await;
        if put.is_err() {
            // With the connection in hand, or with a fresh one where it's gone.
            if control.is_broken() {
                drop(held);
                self.discard(&temporary).await;
            } else if let Ok(delete) = Command::with("DELE", &root.path(&temporary)?) {
                // The failure is what the engine must hear of; a sweep finds what is left.
                let _ = control.ask(delete).await;
            }
        }
        put
    }

    async fn fill(
        &self,
        control: &mut Control,
        root: &Root,
        object: &Object,
        (temporary, begun): (&str, Data),
        (data, whole): (StreamReader<u8>, Whole),
        replace: Replace,
    ) -> Result<Object, Error> {
        let key = &object.key;
        let sent = begun.socket.send(data).await;
        drop(begun);
        let reply = control.reply().await?;
        let checksums = match whole.await {
            Ok(checksums) => checksums,
            // The engine gave up because nobody took its bytes any more: the cause is ours.
            Err(error) if error.code == "cancelled" && !reply.is_done() => {
                return Err(refused("write", key, &reply));
            }
            Err(error) if error.code == "cancelled" => return Err(sent.err().unwrap_or(error)),
            // What the source says comes first: a body that ended early isn't the server's fault.
            Err(error) => return Err(error),
        };
        if !reply.is_done() {
            return Err(refused("write", key, &reply));
        }
        sent?;
        let path = root.path(temporary)?;
        let (size, modified) = settle(control, &path, object).await?;
        if object.size.is_some_and(|expected| size.is_some_and(|size| size != expected)) {
            let (key, sent, has) = (quote(key), object.size.unwrap_or(0), size.unwrap_or(0));
            return Err(error::truncated(format!("{key} has {sent} bytes, but the server got {has}")));
        }
        let checksums =
            if self.session.config.checksum { self.verify(control, &path, key, &checksums).await? } else { Vec::new() };
        rename(control, root, &path, key, replace).await?;
        if is_delicate(key) && !exists(control, root, key).await? {
            return Err(error::invalid_key(format!("the server took {} under another name; rename it", quote(key))));
        }
        let stored = object::file(key.clone(), size.or(object.size), modified);
        Ok(Object { checksums, ..stored })
    }

    /// A directory that's there already is taken as it is.
    pub(super) async fn put_directory(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: Whole,
    ) -> Result<Object, Error> {
        whole.await?;
        drop(data);
        let key = &object.key;
        let made = self.session.run(async |control, root| {
            let path = root.path(key)?;
            let made = make_folders(control, &path).await?;
            if !made.is_done() && !enters(control, &path).await? {
                return Err(refused("make the folder", key, &made));
            }
            let set = match set_time(control, &object) {
                Some((SetTime::Mfmt, time)) => {
                    control.ask(Command::with("MFMT", &timed(&time, &path))?).await?.is_done()
                }
                _ => false,
            };
            Ok(set.then_some(object.modified).flatten())
        });
        Ok(object::directory(key.clone(), made.await?))
    }

    /// Writes an empty file and removes it.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let temporary = self.names.beside("check");
        let (begun, mut held) =
            self.session.with(async |control, root| begin_file(control, root, "check", &temporary).await).await?;
        let path = held.root.path(&temporary)?;
        let Some(control) = held.control() else { return Err(lost("check")) };
        begun.socket.send(stream::empty()).await?;
        drop(begun);
        let reply = control.reply().await?;
        let deleted = control.ask(Command::with("DELE", &path)?).await?;
        match (reply.is_done(), deleted.is_done()) {
            (true, true) => Ok(()),
            (false, _) => Err(refused("write a file in", "", &reply)),
            (true, false) => Err(refused("remove the file that the check made in", "", &deleted)),
        }
    }
}

/// A data connection for a new file; its folders are made where the server won't take it without.
async fn begin_file(control: &mut Control, root: &Root, key: &str, temporary: &str) -> Result<Data, Error> {
    let path = root.path(temporary)?;
    let mut refusal = None;
    for attempt in 0..2 {
        let passive = control.ask(control.passive()).await?;
        let socket = control.connect_data(passive).await?;
        match control.begin_data(socket, &[Command::with("STOR", &path)?]).await? {
            Ok(data) => return Ok(data),
            // The codes for a missing folder are those for a missing right.
            Err(reply) if attempt == 0 && matches!(reply.code, 550 | 553 | 450 | 451) => {
                make_folders(control, &root.path(folder(key))?).await?;
                refusal = Some(reply);
            }
            Err(reply) => return Err(refused("write", key, &reply)),
        }
    }
    Err(refusal.map_or_else(|| lost(key), |reply| refused("write", key, &reply)))
}

/// Makes a folder and those above it, that of the table among them. Returns what the server said to
/// the folder itself: it may have it already.
async fn make_folders(control: &mut Control, path: &[u8]) -> Result<Reply, Error> {
    let mut missing = Vec::new();
    // From the deepest up to the first that can be made or is there, then down again.
    let mut next = path;
    let mut said = loop {
        let reply = control.ask(Command::with("MKD", next)?).await?;
        // Servers make those wait who enter what isn't there, so it's only tried where nothing else
        // tells.
        let is_there = reply.is_done() || is_taken(&reply) || (!is_missing(&reply) && enters(control, next).await?);
        let slash = next.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        if is_there || slash == 0 {
            break reply;
        }
        missing.push(next);
        next = &next[..slash];
    };
    for folder in missing.into_iter().rev() {
        said = control.ask(Command::with("MKD", folder)?).await?;
    }
    Ok(said)
}

/// Whether the server says that something of that name is there.
fn is_taken(reply: &Reply) -> bool {
    let words = reply.words();
    words.contains("exists") && !words.contains("not exist")
}

/// Whether the server says that what leads there isn't.
fn is_missing(reply: &Reply) -> bool {
    reply.words().contains("no such file")
}

async fn enters(control: &mut Control, path: &[u8]) -> Result<bool, Error> {
    Ok(control.ask(Command::with("CWD", path)?).await?.is_done())
}

/// Sets the time of a file that the server has, and asks how large it is. Returns size and time as
/// they're stored.
async fn settle(
    control: &mut Control,
    path: &[u8],
    object: &Object,
) -> Result<(Option<u64>, Option<culvert_sdk::wasi::clocks::system_clock::Instant>), Error> {
    let set = set_time(control, object);
    let mut commands = vec![Command::with("SIZE", path)?];
    if let Some((how, time)) = &set {
        let verb = if *how == SetTime::Mfmt { "MFMT" } else { "MDTM" };
        commands.push(Command::with(verb, &timed(time, path))?);
    }
    control.send(&commands).await?;
    let size = control.reply().await?;
    let was_set = match &set {
        Some(_) => control.reply().await?.is_done(),
        None => false,
    };
    let modified = object.modified.filter(|_| was_set);
    let modified = modified.map(|time| culvert_sdk::wasi::clocks::system_clock::Instant { nanoseconds: 0, ..time });
    if size.code != 213 {
        return Err(refused("compare the size of", &object.key, &size));
    }
    Ok((size.text().parse().ok(), modified))
}

fn set_time(control: &Control, object: &Object) -> Option<(SetTime, String)> {
    let time = time::format(object.modified?)?;
    if control.features.mfmt {
        return Some((SetTime::Mfmt, time));
    }
    control.features.mdtm.then_some((SetTime::Mdtm, time))
}

fn timed(time: &str, path: &[u8]) -> Vec<u8> {
    let mut argument = time.as_bytes().to_vec();
    argument.push(b' ');
    argument.extend_from_slice(path);
    argument
}

/// Gives a whole file its name. Servers of Unix replace what is there in one step; for those that
/// refuse to, what is there is removed first.
async fn rename(control: &mut Control, root: &Root, from: &[u8], key: &str, replace: Replace) -> Result<(), Error> {
    let to = root.path(key)?;
    if replace == Replace::Never && exists(control, root, key).await? {
        return Err(error::already_exists(format!("{} is there already", quote(key))));
    }
    let renamed = try_rename(control, from, &to).await?;
    if renamed.is_done() {
        return Ok(());
    }
    let is_taken =
        matches!(renamed.code, 550 | 553) && replace == Replace::Always && exists(control, root, key).await?;
    if !is_taken {
        return Err(refused("rename the whole file to", key, &renamed));
    }
    let removed = control.ask(Command::with("DELE", &to)?).await?;
    if !removed.is_done() {
        return Err(refused("replace", key, &removed));
    }
    let renamed = try_rename(control, from, &to).await?;
    if renamed.is_done() { Ok(()) } else { Err(refused("rename the whole file to", key, &renamed)) }
}

async fn try_rename(control: &mut Control, from: &[u8], to: &[u8]) -> Result<Reply, Error> {
    let begun = control.ask(Command::with("RNFR", from)?).await?;
    if begun.code != 350 {
        return Ok(begun);
    }
    control.ask(Command::with("RNTO", to)?).await
}

async fn exists(control: &mut Control, root: &Root, key: &str) -> Result<bool, Error> {
    match source::stat(control, root, key).await {
        Ok(_) => Ok(true),
        Err(error) if error.code == "not-found" => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether servers are known to store such a name as another one: Pure-FTPd makes an underscore of a
/// blank at the end.
fn is_delicate(key: &str) -> bool {
    key.split('/').any(|segment| segment.starts_with(' ') || segment.ends_with([' ', '.']))
        || key.contains(|character: char| character.is_control() || "\\:*?\"<>|".contains(character))
}

fn lost(key: &str) -> Error {
    error::connection_failed(format!("the control connection was lost while {} was written", quote(key)))
}
