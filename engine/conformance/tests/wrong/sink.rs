//! The store in memory as a sink: whole objects and batches. Uploads are in `uploads`.

use std::{borrow::Cow, rc::Rc};

use culvert_conformance::Owner;
use culvert_flow::{
    body::{BodyReader, Chunk, Chunks},
    error::{Code, Error},
    object::{Checksums, Key, Kind, Object},
    sink::{Held, Packed, Part, Receipt, Replace, Sink, Stored as Answer},
};

use crate::store::{Shared, checksums, error, flipped};

pub(crate) struct MemorySink {
    pub(crate) shared: Rc<Shared>,
    pub(crate) crime: &'static str,
    pub(crate) owner: Owner,
    pub(crate) instance: u64,
}

// === impl MemorySink ===

impl MemorySink {
    pub(crate) fn is(&self, crime: &str) -> bool {
        self.crime == crime
    }

    /// The name under which an object is stored.
    pub(crate) fn place<'a>(&self, key: &'a str) -> Cow<'a, str> {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        let named = |name: String| Cow::Owned(format!("{folder}/{name}"));
        match self.crime {
            "trims-blanks" => named(name.trim().to_owned()),
            "strips-dashes" => named(name.trim_start_matches('-').to_owned()),
            "replaces-brackets" => named(name.replace(['[', ']', '*', '?'], "_")),
            "turns-backslashes" => named(name.replace('\\', "|")),
            "decodes-percent" => named(name.replace("%20", " ").replace("%41", "A")),
            "normalises" => named(name.replace("u\u{308}", "ü")),
            "replaces-control" => named(name.replace(char::is_control, " ")),
            "cuts-long-names" if name.len() > 100 => named(name[..name.floor_char_boundary(100)].to_owned()),
            "lowers-case" => named(name.to_ascii_lowercase()),
            _ => Cow::Borrowed(key),
        }
    }

    async fn collect(&self, chunks: &mut Chunks, object: &Object) -> Vec<u8> {
        let (key, announced) = (object.key.as_str(), object.size.unwrap_or(0));
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let Chunk::Bytes(chunk) = chunk else { panic!("no extents") };
            if self.is("loses-some-chunks") && chunk.len() == 8_191 {
                continue;
            }
            bytes.extend_from_slice(&chunk);
            match self.crime {
                "shows-early" if key.contains("/put-waits-for-whole/") => {
                    self.shared.store(key, object, bytes.clone());
                }
                "shows-large-ones-early" if announced > 1 << 20 => {
                    self.shared.store(key, object, bytes.clone());
                }
                "removes-the-old-early" if announced > 1 << 20 => {
                    self.shared.objects.borrow_mut().remove(key);
                }
                "is-done-early" if announced == 1_000_000 => return bytes,
                _ => {}
            }
        }
        bytes
    }

    /// What becomes of bytes on their way.
    fn spoilt(&self, object: &Object, mut bytes: Vec<u8>) -> Vec<u8> {
        let chunk = culvert_flow::body::MAX_CHUNK_BYTES;
        match self.crime {
            "cuts-at-a-chunk" if bytes.len() == chunk + 1 => bytes.truncate(chunk),
            "cuts-at-8-mib" => bytes.truncate(8 << 20),
            "drops-a-single-byte" if object.key.as_str().contains("/put-") && bytes.len() == 1 => bytes.clear(),
            "halves-the-unknown" if object.size.is_none() => bytes.truncate(bytes.len() / 2),
            "keeps-the-tail" => {
                if let Some(old) = self.shared.find(object.key.as_str()).filter(|old| old.bytes.len() > bytes.len()) {
                    let tail = old.bytes[bytes.len()..].to_vec();
                    bytes.extend(tail);
                }
            }
            _ => {}
        }
        bytes
    }

    /// Whether something that's there keeps an object from being put.
    fn refuses(&self, key: &str, replace: Replace, replaces_anyway: &str) -> Result<(), Error> {
        if replace == Replace::Always || self.is(replaces_anyway) {
            return Ok(());
        }
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_new = || !self.shared.objects.borrow().keys().any(|other| other.starts_with(&format!("{folder}/")));
        let refuses_new = self.is("refuses-a-new-folder") && key.contains("/in/a/folder/") && is_new();
        if self.shared.has(key) || refuses_new { Err(error(Code::ALREADY_EXISTS, "put")) } else { Ok(()) }
    }

    fn answer(&self, mut object: Object, ours: &Checksums) -> Object {
        match self.crime {
            "echoes-checksums" => object.checksums.clone_from(ours),
            "returns-wrong-checksums" if object.size == Some(300_000) => object.checksums = flipped(object.checksums),
            "answers-another-version" => object.version = Some("another".into()),
            _ => {}
        }
        object
    }
}

impl Sink for MemorySink {
    async fn put(&mut self, object: &Object, body: BodyReader, replace: Replace) -> Result<Object, Error> {
        let key = self.place(object.key.as_str()).into_owned();
        let BodyReader { mut chunks, end } = body;
        if object.kind == Kind::Directory && self.is("makes-files-of-directories") {
            self.shared.store(&key, &Object { kind: Kind::File, ..object.clone() }, Vec::new());
            return Ok(self.shared.find(&key).unwrap().object(&object.key));
        }
        if self.is("refuses-empty") && object.key.as_str().contains("/put-empty/") {
            return Err(error(Code::UNSUPPORTED, "put"));
        }
        if self.is("refuses-depth") && key.matches('/').count() > 10 {
            return Err(error(Code::IO, "put"));
        }
        let bytes = self.collect(&mut chunks, object).await;
        if self.is("is-done-early") && object.size == Some(1_000_000) {
            return Ok(object.clone());
        }
        let ours = match end.whole().await {
            Ok(ours) => ours,
            Err(error) => {
                let abandoned = error.code == Code::CANCELLED;
                if (self.is("leaves-the-broken") && !abandoned) || (self.is("leaves-the-abandoned") && abandoned) {
                    self.shared.left.set(self.shared.left.get() + 1);
                }
                if self.is("broken-removes-the-old") {
                    self.shared.objects.borrow_mut().remove(&key);
                }
                return Err(error);
            }
        };
        self.refuses(&key, replace, "replaces-anyway")?;
        let bytes = self.spoilt(object, bytes);
        let theirs = checksums(&bytes);
        let differs = theirs.iter().any(|(algorithm, value)| ours.get(algorithm).is_some_and(|it| it != value));
        let spoils = ["echoes-checksums", "cuts-at-a-chunk", "cuts-at-8-mib", "drops-a-single-byte"];
        let spoils_more = ["halves-the-unknown", "keeps-the-tail", "loses-some-chunks"];
        if differs && object.kind == Kind::File && !spoils.contains(&self.crime) && !spoils_more.contains(&self.crime) {
            return Err(error(Code::CHECKSUM_MISMATCH, "put"));
        }
        let mut kept = object.clone();
        match self.crime {
            "forgets-times" => kept.modified = None,
            "turns-attributes" => kept.attributes.values_mut().for_each(|value| value.push('x')),
            "loses-targets" => drop(kept.attributes.remove("posix.target")),
            _ => {}
        }
        self.shared.puts.borrow_mut().push(key.clone());
        let stored = self.shared.store(&key, &kept, bytes);
        Ok(self.answer(stored.object(&object.key), &ours))
    }

    async fn put_batch(
        &mut self,
        objects: &[Packed<'_>],
        mut chunks: Chunks,
        replace: Replace,
    ) -> Result<Vec<Result<Answer, Error>>, Error> {
        let mut all = Vec::new();
        while let Some(Chunk::Bytes(chunk)) = chunks.next().await {
            all.extend_from_slice(&chunk);
        }
        let (mut results, mut rest) = (Vec::new(), all.as_slice());
        for packed in objects {
            let (bytes, behind) = rest.split_at(usize::try_from(packed.size).unwrap());
            rest = behind;
            let key = packed.object.key.as_str();
            let theirs = checksums(bytes);
            let same = theirs.iter().all(|(algorithm, value)| packed.checksums.get(algorithm) == Some(value));
            results.push(if let Err(error) = self.refuses(key, replace, "batch-replaces-anyway") {
                Err(error)
            } else if !same && !self.is("batch-echoes-checksums") {
                Err(error(Code::CHECKSUM_MISMATCH, "put-batch"))
            } else {
                if !(self.is("batch-loses-one") && key.ends_with("/batch-put/file-03")) {
                    self.shared.store(key, packed.object, bytes.to_vec());
                }
                let checksums = if same { theirs } else { packed.checksums.clone() };
                Ok(Answer { size: packed.size, checksums })
            });
        }
        Ok(results)
    }

    async fn held_parts(&mut self, upload: &str) -> Result<Option<Vec<Held>>, Error> {
        self.parts_of(upload).map(Some)
    }

    async fn begin(&mut self, object: &Object) -> Result<String, Error> {
        Ok(self.begin_upload(object))
    }

    async fn write_part(&mut self, upload: &str, part: Part, chunks: Chunks) -> Result<Receipt, Error> {
        self.write_one(upload, part, chunks).await
    }

    async fn commit(
        &mut self,
        upload: &str,
        object: &Object,
        receipts: &[Receipt],
        replace: Replace,
    ) -> Result<Object, Error> {
        self.commit_upload(upload, object, receipts, replace)
    }

    async fn abort(&mut self, upload: &str) -> Result<(), Error> {
        self.abort_upload(upload)
    }

    async fn sweep(&mut self, keep: &[String]) -> Result<u64, Error> {
        if self.is("sweeps-objects") {
            let newest = self.shared.puts.borrow_mut().pop().filter(|key| key.contains("/sweep-nothing/"));
            newest.map(|key| self.shared.objects.borrow_mut().remove(&key));
        }
        Ok(self.sweep_uploads(keep) + self.shared.left.replace(0))
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        let found = self.shared.find(&self.place(key.as_str()));
        found.map(|stored| stored.object(key)).ok_or_else(|| error(Code::NOT_FOUND, "stat").with_key(key))
    }

    async fn delete(&mut self, key: &Key) -> Result<(), Error> {
        let place = self.place(key.as_str()).into_owned();
        let mut objects = self.shared.objects.borrow_mut();
        let is_full = objects.keys().any(|other| other.starts_with(&format!("{place}/")));
        if is_full && self.is("deletes-full-directories") {
            objects.retain(|other, _| !other.starts_with(&format!("{place}/")));
        }
        if is_full && objects.get(&place).is_some_and(|stored| stored.kind == Kind::Directory) {
            return Err(error(Code::PRECONDITION_FAILED, "delete"));
        }
        match self.crime {
            "keeps-large-ones" if objects.get(&place).is_some_and(|stored| stored.bytes.len() > 12 << 20) => {
                return Ok(());
            }
            "deletes-nothing" if place.contains("/delete/") => return Ok(()),
            "missing-isn't-deleted" if place.contains("/delete-missing/") && !objects.contains_key(&place) => {
                return Err(error(Code::NOT_FOUND, "delete"));
            }
            "deletes-by-prefix" if place.ends_with("/delete-beside/file") => {
                objects.retain(|other, _| !other.starts_with(&place));
            }
            _ => {}
        }
        objects.remove(&place);
        Ok(())
    }
}
