//! One folder: fetched whole, so that the connection is free for the next one, then handed over
//! entry by entry as the engine takes them. Never goes into a folder itself.

use std::rc::Rc;

use culvert_sdk::{
    StreamResult, error,
    key::join,
    socket::failed,
    stream::Entries,
    temporary::is_temporary,
    types::{Entry, Error, Unreadable},
};

use super::stat::missing;
use crate::{
    config::Symlinks,
    control::{Command, Control, Data},
    error::{refused, shown},
    listing::{self, Format, Item, Kind, Line},
    object,
    path::Root,
    reply::Reply,
    session::Session,
    time,
};

/// Bytes of a listing that are taken at once.
const READ_BYTES: usize = 64 * 1024;

/// Longest listing of one folder in bytes: about a million names. It's in the guest's memory.
const MAX_LISTING_BYTES: usize = 96 << 20;

/// Files whose times are asked for together: the questions and answers fit into sockets' buffers.
const TIMES_AT_ONCE: usize = 64;

/// Characters of a line that isn't understood, for a report.
const SHOWN_CHARS: usize = 200;

/// A folder's listing, as the server wrote it.
pub(crate) struct Lister {
    session: Rc<Session>,
    folder: String,
    format: Format,
    bytes: Vec<u8>,
    root: Root,
}

// === impl Lister ===

impl Lister {
    /// Fetches the listing of a folder.
    ///
    /// # Errors
    /// The folder can't be entered or listed, or its listing isn't whole.
    pub(crate) async fn open(session: &Rc<Session>, folder: &str) -> Result<Self, Error> {
        let hidden = session.config.hidden;
        let fetching = session.run(async |control, root| {
            let (format, bytes) = fetch(control, root, folder, hidden).await?;
            Ok((format, bytes, root.clone()))
        });
        let (format, bytes, root) = fetching.await?;
        Ok(Self { session: Rc::clone(session), folder: folder.to_owned(), format, bytes, root })
    }

    /// Hands its entries over.
    ///
    /// # Errors
    /// `cancelled`, or the server doesn't tell the files' times.
    pub(crate) async fn fill(self, entries: &mut Entries) -> Result<(), Error> {
        let mut asking = Vec::new();
        for line in self.bytes.split(|byte| *byte == b'\n') {
            match self.parse(line) {
                Line::Nothing => {}
                Line::Unreadable => entries.push(self.unreadable(line)).await?,
                // Its time, or what it leads to, is asked for along with others'.
                Line::Item(item) if self.must_ask(&item) => asking.push(item),
                Line::Item(item) => entries.push(object::entry(&self.root, &self.folder, &item)).await?,
            }
            if asking.len() >= TIMES_AT_ONCE {
                self.ask_and_push(&mut asking, entries).await?;
            }
        }
        self.ask_and_push(&mut asking, entries).await
    }

    /// All names and kinds, for who needs no times.
    pub(crate) fn names(&self) -> impl Iterator<Item = (String, Kind)> + '_ {
        self.bytes.split(|byte| *byte == b'\n').filter_map(|line| match listing::parse(self.format, strip(line)) {
            Line::Item(item) => Some((self.root.name(&item.name).ok()?, item.kind)),
            _ => None,
        })
    }

    fn parse(&self, line: &[u8]) -> Line {
        match listing::parse(self.format, strip(line)) {
            Line::Item(item) if std::str::from_utf8(&item.name).is_ok_and(is_temporary) => Line::Nothing,
            parsed => parsed,
        }
    }

    fn must_ask(&self, item: &Item) -> bool {
        match item.kind {
            Kind::File => item.modified.is_none() || item.size.is_none(),
            Kind::Symlink(_) => self.session.config.symlinks == Symlinks::Follow,
            _ => false,
        }
    }

    fn unreadable(&self, line: &[u8]) -> Entry {
        let text: String = String::from_utf8_lossy(strip(line)).chars().take(SHOWN_CHARS).collect();
        let error = error::protocol(format!("the listing of {} has a line that isn't understood", shown(&self.folder)));
        Entry::Unreadable(Unreadable { key: join(&self.folder, &text), error })
    }

    async fn ask_and_push(&self, items: &mut Vec<Item>, entries: &mut Entries) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(items);
        let asked = self.session.run(async |control, root| ask(control, root, &self.folder, &batch).await).await?;
        for item in asked {
            entries.push(object::entry(&self.root, &self.folder, &item)).await?;
        }
        Ok(())
    }
}

fn strip(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Times of some files in one go, and sizes where the listing has none. What a link leads to is a file if it
/// has a size.
async fn ask(control: &mut Control, root: &Root, folder: &str, items: &[Item]) -> Result<Vec<Item>, Error> {
    let mut commands = Vec::with_capacity(2 * items.len());
    let mut known = Vec::with_capacity(items.len());
    for item in items {
        // A name that can't be written is one that its entry will report.
        let path = root.name(&item.name).ok().and_then(|name| root.path(&join(folder, &name)).ok());
        if let Some(path) = &path {
            if !has_size(item) {
                commands.push(Command::with("SIZE", path)?);
            }
            commands.push(Command::with("MDTM", path)?);
        }
        known.push(path.is_some());
    }
    control.send(&commands).await?;
    let mut asked = Vec::with_capacity(items.len());
    for (item, known) in items.iter().zip(known) {
        let mut item = item.clone();
        if known {
            if !has_size(&item) {
                learn_size(&mut item, &control.reply().await?);
            }
            learn_time(&mut item, &control.reply().await?);
        }
        asked.push(item);
    }
    Ok(asked)
}

/// Whether the listing has told the size itself. That of a link is its own.
fn has_size(item: &Item) -> bool {
    item.kind == Kind::File && item.size.is_some()
}

fn learn_size(item: &mut Item, size: &Reply) {
    if size.code == 213 {
        item.size = size.text().parse().ok();
        item.kind = Kind::File;
    }
}

fn learn_time(item: &mut Item, time: &Reply) {
    if time.code == 213 && item.kind == Kind::File {
        item.modified = time::parse(&time.text());
    }
}

/// The whole listing of a folder. The folder is entered first, so that no server takes its name for
/// a switch or a pattern.
async fn fetch(control: &mut Control, root: &Root, folder: &str, hidden: bool) -> Result<(Format, Vec<u8>), Error> {
    let path = root.path(folder)?;
    let passive = control.passive();
    control.send(&[Command::with("CWD", &path)?, passive]).await?;
    let (entered, passive) = (control.reply().await?, control.reply().await?);
    if !entered.is_done() {
        return Err(missing("enter", folder, &entered));
    }
    let mut ways = Vec::new();
    ways.extend(control.features.mlst.then_some((Format::Facts, "MLSD")));
    ways.extend(hidden.then_some((Format::List, "LIST -a")));
    ways.push((Format::List, "LIST"));
    let (mut passive, mut refusal) = (Some(passive), None);
    for (format, command) in ways {
        let reply = match passive.take() {
            Some(reply) => reply,
            None => {
                let passive = control.passive();
                control.ask(passive).await?
            }
        };
        let socket = control.connect_data(reply).await?;
        match control.begin_data(socket, &[Command::new(command)]).await? {
            Ok(data) => return Ok((format, drain(control, folder, data).await?)),
            // It doesn't know this way; what else it says, it says to every way.
            Err(reply) if matches!(reply.code, 500..=504) => refusal = Some(reply),
            Err(reply) => return Err(refused("list", folder, &reply)),
        }
    }
    Err(refusal.map_or_else(|| error::internal("there is no way to list"), |reply| refused("list", folder, &reply)))
}

async fn drain(control: &mut Control, folder: &str, data: Data) -> Result<Vec<u8>, Error> {
    let (mut stream, received) = data.socket.receive();
    let mut listing = Vec::new();
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let result;
        (result, buffer) = stream.read(buffer).await;
        listing.extend_from_slice(&buffer);
        buffer.clear();
        if listing.len() > MAX_LISTING_BYTES {
            control.break_off();
            let folder = shown(folder);
            return Err(error::too_large(format!(
                "the listing of {folder} has more than {MAX_LISTING_BYTES} bytes; split the folder"
            )));
        }
        if result == StreamResult::Dropped {
            break;
        }
    }
    let received = received.await;
    // ProFTPD says nothing before both sides are closed.
    drop((stream, data));
    let reply = control.reply().await?;
    if !reply.is_done() {
        return Err(refused("list", folder, &reply));
    }
    received.map_err(|code| failed(&format!("list {}", shown(folder)), &code))?;
    // Pure-FTPd stops after a configured number of names and says so in a friendly reply.
    if reply.words().contains("truncated") {
        let (folder, says) = (shown(folder), reply.shown());
        return Err(error::too_large(format!(
            "the server cut the listing of {folder} short: it says {says}; raise its limit"
        )));
    }
    Ok(listing)
}
