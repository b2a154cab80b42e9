//! Directories by their depth, kept in files until everything else is done: what is written into a directory
//! changes its time. Puts nothing itself.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Seek, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::page::{Form, MAX_OBJECTS, MAX_WRITTEN, Page};
use crate::{
    error::{Code, Error},
    object::Object,
    sync::lock,
};

/// One file without a name for each depth, of which a listing has at most some hundred.
#[derive(Debug)]
pub(in crate::run) struct Folders {
    /// Where the files are.
    place: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    depths: BTreeMap<usize, BufWriter<File>>,
    /// Why one isn't kept.
    broken: Option<Error>,
}

/// Directories of one depth.
#[derive(Debug)]
pub(super) struct Depth {
    lines: io::Lines<BufReader<File>>,
    next: Option<String>,
}

// === impl Folders ===

impl Folders {
    pub(super) fn new(place: &Path) -> Self {
        Self { place: place.to_owned(), state: Mutex::default() }
    }

    pub(in crate::run) fn add(&self, object: Object) {
        let mut state = lock(&self.state);
        let kept = self.keep(&mut state, object);
        if let Err(error) = kept {
            state.broken.get_or_insert(error);
        }
    }

    fn keep(&self, state: &mut State, object: Object) -> Result<(), Error> {
        let depth = object.key.as_str().matches('/').count();
        let line = serde_json::to_string(&Form::of(object, false)).map_err(|error| failed(&error.into()))?;
        let file = match state.depths.entry(depth) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let file = tempfile::tempfile_in(&self.place).map_err(|error| failed(&error))?;
                entry.insert(BufWriter::new(file))
            }
        };
        writeln!(file, "{line}").map_err(|error| failed(&error))
    }

    /// The deepest of what's left.
    pub(super) fn take_deepest(&self) -> Result<Option<Depth>, Error> {
        let mut state = lock(&self.state);
        if let Some(error) = state.broken.take() {
            return Err(error);
        }
        let Some((_, file)) = state.depths.pop_last() else { return Ok(None) };
        let read = || {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(Depth { lines: BufReader::new(file).lines(), next: None })
        };
        read().map(Some).map_err(|error| failed(&error))
    }
}

// === impl Depth ===

impl Depth {
    /// The next page; none at the end. `touched`: something may have been written into them.
    pub(super) fn next_page(&mut self, touched: bool) -> Result<Option<Page>, Error> {
        let mut page = Page { folders: true, touched, ..Page::default() };
        let mut written = 0;
        while page.objects.len() < MAX_OBJECTS {
            let line = match self.next.take() {
                Some(line) => line,
                None => match self.lines.next().transpose().map_err(|error| failed(&error))? {
                    Some(line) => line,
                    None => break,
                },
            };
            if written > 0 && written + line.len() > MAX_WRITTEN {
                self.next = Some(line);
                break;
            }
            written += line.len();
            page.objects.push(serde_json::from_str(&line).map_err(|error| failed(&error.into()))?);
        }
        Ok((!page.objects.is_empty()).then_some(page))
    }
}

fn failed(error: &io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::StorageFull { Code::NO_SPACE } else { Code::IO };
    Error::new(code, "list", format!("the directories can't be kept until the rest is done: {error}"))
}
