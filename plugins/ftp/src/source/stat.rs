//! What the server knows of one name: MLST where it has that, else SIZE and MDTM.

use culvert_sdk::{
    error,
    types::{Error, Object},
};

use crate::{
    control::{Command, Control},
    error::refused,
    listing::{self, Format, Kind, Line},
    object,
    path::Root,
    reply::Reply,
    time,
};

/// # Errors
/// `not-found`, or the server doesn't tell.
pub(crate) async fn stat(control: &mut Control, root: &Root, key: &str) -> Result<Object, Error> {
    let path = root.path(key)?;
    if control.features.mlst {
        let reply = control.ask(Command::with("MLST", &path)?).await?;
        if let Some(object) = from_facts(root, key, &reply) {
            return Ok(object);
        }
        // A server that can't say it like this may still know the file.
        if reply.code == 550 {
            return Err(missing("look at", key, &reply));
        }
    }
    control.send(&[Command::with("SIZE", &path)?, Command::with("MDTM", &path)?]).await?;
    let (size, time) = (control.reply().await?, control.reply().await?);
    if size.code == 213 {
        return file(key, &size, Some(&time));
    }
    let entered = control.ask(Command::with("CWD", &path)?).await?;
    if entered.is_done() {
        return Ok(object::directory(key.to_owned(), None));
    }
    Err(missing("look at", key, &size))
}

/// A file of which size and perhaps time were asked for.
///
/// # Errors
/// `not-found`, or the server doesn't tell.
pub(crate) fn file(key: &str, size: &Reply, time: Option<&Reply>) -> Result<Object, Error> {
    if size.code != 213 {
        return Err(missing("read", key, size));
    }
    let modified = time.filter(|time| time.code == 213).and_then(|time| time::parse(&time.text()));
    Ok(object::file(key.to_owned(), size.text().parse().ok(), modified))
}

/// A server that refuses to tell about a file without saying why hasn't got it: vsftpd's "Could not
/// get file size.", for instance.
pub(crate) fn missing(operation: &str, key: &str, reply: &Reply) -> Error {
    let refused = refused(operation, key, reply);
    let denied = ["denied", "not permitted"].iter().any(|word| reply.words().contains(word));
    if reply.code == 550 && !denied { error::not_found(refused.message) } else { refused }
}

/// The one line of facts in a reply to MLST.
fn from_facts(root: &Root, key: &str, reply: &Reply) -> Option<Object> {
    let line = reply.lines.iter().find(|line| line.contains(&b'=')).filter(|_| reply.code == 250)?;
    let line = line.strip_prefix(b" ").unwrap_or(line);
    // The name is the path, or the name; the key is known.
    let space = line.iter().position(|byte| *byte == b' ')?;
    let mut nameless = line[..=space].to_vec();
    if String::from_utf8_lossy(&nameless).to_ascii_lowercase().contains("type=cdir") {
        return Some(object::directory(key.to_owned(), None));
    }
    nameless.extend_from_slice(b"x");
    match listing::parse(Format::Facts, &nameless) {
        Line::Item(item) if item.kind == Kind::File && item.size.is_none() => None,
        Line::Item(item) => Some(object::object(root, key.to_owned(), &item)),
        _ => None,
    }
}
