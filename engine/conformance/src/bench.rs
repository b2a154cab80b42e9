//! What the cases work with: a random folder of the suite's own, fresh instances, and a memory of
//! everything that was written, so that it can be removed. Judges nothing.

pub(crate) mod carry;
pub(crate) mod fetch;
mod random;
pub(crate) mod walk;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use culvert_flow::{
    error::{Code, Error},
    object::{Capabilities, Key, Kind, Object},
    sink::{READ_BACK, Replace, Sink},
    source::Source,
};

pub(crate) use self::random::Random;
use self::{
    carry::{Body, put},
    walk::{Seen, walk},
};
use crate::{
    case::Fault,
    subject::{Owner, Subject},
};

/// What the suite's folder begins with. A listing in order begins behind it.
pub(crate) const ROOT_PREFIX: &str = "culvert-conformance-";
/// Largest object of a store that's only read which is taken for a sample, in bytes.
const MAX_SAMPLE_BYTES: u64 = 64 << 20;

/// Everything that the cases share.
pub(crate) struct Bench<'a, S: Subject> {
    pub(crate) subject: &'a S,
    /// The folder below which everything is written.
    pub(crate) root: String,
    random: RefCell<Random>,
    /// What was or may have been written.
    keys: RefCell<BTreeSet<String>>,
    uploads: RefCell<Vec<(Owner, String)>>,
    proof: Cell<Option<Reader>>,
    /// A folder was listed.
    has_folders: Cell<bool>,
}

/// What reads the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Source,
    ReadBack,
}

/// A file of the store whose bytes are known.
pub(crate) struct Sample {
    pub(crate) object: Object,
    pub(crate) bytes: Vec<u8>,
}

// === impl Bench ===

impl<'a, S: Subject> Bench<'a, S> {
    pub(crate) fn new(subject: &'a S, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let root = format!("{ROOT_PREFIX}{:016x}", random.number());
        let (keys, uploads) = (RefCell::default(), RefCell::default());
        let (proof, has_folders) = (Cell::new(None), Cell::new(false));
        Self { subject, root, random: RefCell::new(random), keys, uploads, proof, has_folders }
    }

    /// Finds out what reads that which the sink has: the source, if it sees a file put there, else the
    /// sink itself, if it can be read back.
    pub(crate) async fn look_around(&self) {
        let Some(sink) = self.subject.sink() else { return };
        let key = self.key("probe", "file");
        let Ok(mut writer) = self.sink().await else { return };
        if put(&mut writer, &file(&key, 5), Body::whole(b"probe"), Replace::Always).await.is_err() {
            return;
        }
        if self.subject.source().is_some()
            && let Ok(mut source) = self.subject.open_source().await
            && source.stat(&key).await.is_ok()
        {
            return self.proof.set(Some(Reader::Source));
        }
        if sink.has(READ_BACK) {
            self.proof.set(Some(Reader::ReadBack));
        }
    }

    /// What reads that which the sink has; none where nothing does.
    pub(crate) fn proof(&self) -> Option<Reader> {
        self.proof.get()
    }

    /// What the cases about reading are about.
    pub(crate) fn reader_kind(&self) -> Option<Reader> {
        if self.subject.source().is_some() { Some(Reader::Source) } else { self.proof() }
    }

    /// Whether what's read is what the suite writes.
    pub(crate) fn writes_what_it_reads(&self) -> bool {
        self.proof().is_some() && self.proof() == self.reader_kind()
    }

    pub(crate) fn reader_capabilities(&self) -> Option<&Capabilities> {
        match self.reader_kind()? {
            Reader::Source => self.subject.source(),
            Reader::ReadBack => self.subject.sink(),
        }
    }

    /// A key below a folder of the case's own; it's removed at the end.
    pub(crate) fn key(&self, case: &str, name: &str) -> Key {
        let text = format!("{}/{case}/{name}", self.root);
        self.keys.borrow_mut().insert(text.clone());
        parsed(&text)
    }

    /// The case's own folder.
    pub(crate) fn folder(&self, case: &str) -> Key {
        parsed(&format!("{}/{case}", self.root))
    }

    pub(crate) async fn reader(&self) -> Result<S::Source, Error> {
        self.open(self.reader_kind()).await
    }

    /// What reads that which the sink has.
    pub(crate) async fn proof_reader(&self) -> Result<S::Source, Error> {
        self.open(self.proof()).await
    }

    async fn open(&self, kind: Option<Reader>) -> Result<S::Source, Error> {
        match kind {
            Some(Reader::Source) => self.subject.open_source().await,
            Some(Reader::ReadBack) => self.subject.open_read_back().await,
            None => Err(Error::new(Code::UNSUPPORTED, "open", "nothing reads this store")),
        }
    }

    pub(crate) async fn sink(&self) -> Result<S::Sink, Error> {
        self.subject.open_sink(Owner::Ours).await
    }

    pub(crate) async fn stranger(&self) -> Result<S::Sink, Error> {
        self.subject.open_sink(Owner::Stranger).await
    }

    pub(crate) fn bytes(&self, length: usize) -> Vec<u8> {
        self.random.borrow_mut().bytes(length)
    }

    /// Begins an upload that's aborted at the end, if it's still there.
    pub(crate) async fn begin(&self, sink: &mut S::Sink, object: &Object, owner: Owner) -> Result<String, Error> {
        let token = sink.begin(object).await?;
        self.uploads.borrow_mut().push((owner, token.clone()));
        Ok(token)
    }

    /// A file with random bytes, written and known.
    pub(crate) async fn sample(&self, case: &str, name: &str, length: usize) -> Result<Sample, Fault> {
        let key = self.key(case, name);
        let bytes = self.bytes(length);
        let mut sink = self.sink().await?;
        put(&mut sink, &file(&key, length), Body::whole(&bytes), Replace::Always).await?;
        Ok(Sample { object: self.listed(&key).await?, bytes })
    }

    /// An object as the reader tells of it.
    async fn listed(&self, key: &Key) -> Result<Object, Error> {
        self.reader().await?.stat(key).await
    }

    /// A file to read: written, or one of those that are there.
    pub(crate) async fn something(&self, case: &str, length: usize) -> Result<Sample, Fault> {
        if self.writes_what_it_reads() {
            return self.sample(case, "file", length).await;
        }
        let mut reader = self.reader().await?;
        let seen = self.seen(&mut reader).await?;
        let fits = |object: &&Object| {
            object.kind == Kind::File && object.size.is_some_and(|size| (1..=MAX_SAMPLE_BYTES).contains(&size))
        };
        let Some(object) = seen.objects.values().find(fits) else {
            let why = "the store has no file of at most 64 MiB, and nothing can be written to it";
            return Err(Fault::NotApplicable(why.to_owned()));
        };
        let (_, bytes) = fetch::whole(&mut reader, &object.key).await?;
        Ok(Sample { object: object.clone(), bytes })
    }

    /// What the reader lists: what the suite wrote, or everything where it can't write.
    pub(crate) async fn seen(&self, reader: &mut S::Source) -> Result<Seen, Error> {
        let ordered = self.reader_capabilities().is_some_and(|it| it.has("ordered-listing"));
        let below = self.writes_what_it_reads().then_some(self.root.as_str());
        walk(reader, below, ordered).await
    }

    /// What is at the sink, by what reads it.
    pub(crate) async fn held(&self, key: &Key) -> Result<Vec<u8>, Fault> {
        let mut reader = self.proof_reader().await?;
        Ok(fetch::whole(&mut reader, key).await?.1)
    }

    /// Fails unless the sink, asked by a fresh instance, has nothing there.
    pub(crate) async fn is_absent(&self, key: &Key, when: &str) -> Result<(), Fault> {
        match self.sink().await?.stat(key).await {
            Err(error) if error.code == Code::NOT_FOUND => Ok(()),
            Err(error) => Err(Fault::Failed(format!("{when}: expected not-found of stat, got: {error}"))),
            Ok(object) => {
                let size = object.size;
                Err(Fault::Failed(format!("{when}: expected nothing under the key, got an object of {size:?} bytes")))
            }
        }
    }

    /// Fails unless a sweep finds that nothing of ours was left.
    pub(crate) async fn is_clean(&self, when: &str) -> Result<(), Fault> {
        match self.sink().await?.sweep(&[]).await? {
            0 => Ok(()),
            count => Err(Fault::Failed(format!("{when}: expected nothing left behind, but a sweep removed {count}"))),
        }
    }

    /// An upload was committed or aborted: nothing is left of it.
    pub(crate) fn settled(&self, upload: &str) {
        self.uploads.borrow_mut().retain(|(_, token)| token != upload);
    }

    /// Drops what a case that failed left unfinished, so that no other fails for it.
    pub(crate) async fn tidy(&self) {
        // What can't be removed shows at the end.
        if let Ok(mut sink) = self.sink().await {
            self.abort_all(&mut sink).await;
        }
        if let Ok(mut sink) = self.sink().await {
            let _ = sink.sweep(&[]).await;
        }
    }

    /// What can't be aborted shows at the end.
    async fn abort_all(&self, sink: &mut S::Sink) {
        let uploads = std::mem::take(&mut *self.uploads.borrow_mut());
        for (owner, token) in uploads {
            let _ = match owner {
                Owner::Ours => sink.abort(&token).await,
                Owner::Stranger => match self.stranger().await {
                    Ok(mut stranger) => stranger.abort(&token).await,
                    Err(error) => Err(error),
                },
            };
        }
    }

    /// Removes everything that was written, deepest first. After each case, so that listings and sweeps
    /// stay short.
    pub(crate) async fn clean(&self) -> Result<(), Error> {
        if self.subject.sink().is_none() {
            return Ok(());
        }
        let mut sink = self.sink().await?;
        self.abort_all(&mut sink).await;
        let mut failed = None;
        // What is in a folder sorts behind it.
        for key in self.remains().await?.iter().rev() {
            if let Err(error) = sink.delete(&parsed(key)).await {
                if error.instance_lost {
                    sink = self.sink().await?;
                }
                // A name that the store can't have isn't there.
                failed = failed.or((error.code != Code::INVALID_KEY).then_some(error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Keys of what is there, or may be where that can't be listed; folders too.
    async fn remains(&self) -> Result<BTreeSet<String>, Error> {
        let keys = std::mem::take(&mut *self.keys.borrow_mut());
        if self.writes_what_it_reads() {
            let seen = self.seen(&mut self.reader().await?).await?;
            self.has_folders.set(self.has_folders.get() || !seen.folders.is_empty());
            return Ok(seen.objects.into_keys().collect());
        }
        let folders = keys.iter().flat_map(|key| key.match_indices('/').map(|(at, _)| key[..at].to_owned()));
        let folders: Vec<_> = folders.collect();
        Ok(keys.into_iter().chain(folders).collect())
    }

    /// Removes the suite's own folder, where the store has any.
    pub(crate) async fn leave(&self) -> Result<(), Error> {
        if self.has_folders.get() { self.sink().await?.delete(&parsed(&self.root)).await } else { Ok(()) }
    }
}

/// A text of the suite's own as a key. What it makes is always one.
pub(crate) fn parsed(text: &str) -> Key {
    Key::parse(text).unwrap_or_else(|invalid| unreachable!("the suite made the key {text:?}: {invalid}"))
}

/// A plain file.
pub(crate) fn file(key: &Key, length: usize) -> Object {
    Object {
        key: key.clone(),
        kind: Kind::File,
        size: Some(length as u64),
        modified: None,
        version: None,
        checksums: [].into(),
        attributes: [].into(),
    }
}
