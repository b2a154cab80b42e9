//! From a temporary name to the object's own: the file is held against what was sent, given its time
//! and then renamed. Sends no byte of the file.

use culvert_sdk::{
    error::{self, quote},
    sink::Replace,
    types::{Checksum, Error, Object},
    wasi::clocks::system_clock::Instant,
};

use super::Sink;
use crate::{
    control::{Command, Control},
    error::refused,
    object,
    path::Root,
    reply::Reply,
    source, time,
};

/// How a time is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetTime {
    /// draft-somers-ftp-mfxx.
    Mfmt,
    /// `MDTM <time> <path>`, as vsftpd takes it.
    Mdtm,
}

impl Sink {
    /// Makes the file at the key `temporary`, of which the server has all, the object.
    ///
    /// # Errors
    /// `truncated` or `checksum-mismatch` where the server has something else; what it refuses.
    pub(super) async fn publish(
        &self,
        control: &mut Control,
        root: &Root,
        temporary: &str,
        object: &Object,
        checksums: &[Checksum],
        replace: Replace,
    ) -> Result<Object, Error> {
        let (key, path) = (&object.key, root.path(temporary)?);
        let (size, modified) = settle(control, &path, object).await?;
        if object.size.is_some_and(|expected| size.is_some_and(|size| size != expected)) {
            let (key, sent, has) = (quote(key), object.size.unwrap_or(0), size.unwrap_or(0));
            return Err(error::truncated(format!("{key} has {sent} bytes, but the server got {has}")));
        }
        let checksums =
            if self.session.config.checksum { self.verify(control, &path, key, checksums).await? } else { Vec::new() };
        rename(control, root, &path, key, replace).await?;
        if is_delicate(key) && !exists(control, root, key).await? {
            return Err(error::invalid_key(format!("the server took {} under another name; rename it", quote(key))));
        }
        let stored = object::file(key.clone(), size.or(object.size), modified);
        Ok(Object { checksums, ..stored })
    }
}

/// Sets the time of a file that the server has, and asks how large it is. Returns size and time as
/// they're stored.
async fn settle(control: &mut Control, path: &[u8], object: &Object) -> Result<(Option<u64>, Option<Instant>), Error> {
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
    let modified = modified.map(|time| Instant { nanoseconds: 0, ..time });
    if size.code != 213 {
        return Err(refused("compare the size of", &object.key, &size));
    }
    Ok((size.text().parse().ok(), modified))
}

pub(super) fn set_time(control: &Control, object: &Object) -> Option<(SetTime, String)> {
    let time = time::format(object.modified?)?;
    if control.features.mfmt {
        return Some((SetTime::Mfmt, time));
    }
    control.features.mdtm.then_some((SetTime::Mdtm, time))
}

pub(super) fn timed(time: &str, path: &[u8]) -> Vec<u8> {
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

/// Both commands at once: the second one means nothing where the first one was refused.
async fn try_rename(control: &mut Control, from: &[u8], to: &[u8]) -> Result<Reply, Error> {
    control.send(&[Command::with("RNFR", from)?, Command::with("RNTO", to)?]).await?;
    let (begun, renamed) = (control.reply().await?, control.reply().await?);
    Ok(if begun.code == 350 { renamed } else { begun })
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
