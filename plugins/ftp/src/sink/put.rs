//! Writing what comes in one piece: a file under a temporary name, folders where they're missing.
//! Leaves nothing behind where it fails.

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    key::folder,
    sink::Replace,
    stream,
    types::{Checksum, Error, Object},
};

use super::{
    Sink,
    publish::{SetTime, set_time, timed},
};
use crate::{
    control::{Command, Control, Data},
    error::refused,
    object,
    path::Root,
    reply::Reply,
};

/// What the engine says after the last byte.
type Whole = FutureReader<Result<Vec<Checksum>, Error>>;

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
        let (begun, mut held) = match begun.await {
            Ok(begun) => begun,
            Err(error) => {
                if matches!(error.code.as_str(), "connection-failed" | "timeout" | "protocol") {
                    // The server may have made the file and not come to say so.
                    self.discard(&temporary).await;
                }
                return Err(error);
            }
        };
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
        self.publish(control, root, temporary, object, &checksums, replace).await
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

/// A data connection for a new file, or for one that's overwritten from its start; its folders are made where the server won't take it without.
pub(super) async fn begin_file(control: &mut Control, root: &Root, key: &str, temporary: &str) -> Result<Data, Error> {
    let path = root.path(temporary)?;
    let mut refusal = None;
    for attempt in 0..2 {
        let socket = control.open_data().await?;
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

pub(super) fn lost(key: &str) -> Error {
    error::connection_failed(format!("the control connection was lost while {} was written", quote(key)))
}
