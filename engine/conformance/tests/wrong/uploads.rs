//! Uploads of the store in memory.

use culvert_flow::{
    body::{Chunk, Chunks},
    error::{Code, Error},
    object::Object,
    sink::{Held, Part, Receipt, Replace},
};

use crate::{
    sink::MemorySink,
    store::{Upload, checksums, error, flipped},
};

fn token(part: u32, bytes: &[u8]) -> String {
    format!("{part}-{}", bytes.len())
}

// === impl MemorySink ===

impl MemorySink {
    pub(crate) fn begin_upload(&self, object: &Object) -> String {
        let mut uploads = self.shared.uploads.borrow_mut();
        self.shared.versions.set(self.shared.versions.get() + 1);
        let name = format!("upload-{}", self.shared.versions.get());
        let upload = Upload {
            owner: self.owner,
            key: object.key.as_str().to_owned(),
            parts: [].into(),
            arrived: Vec::new(),
            instance: self.instance,
            busy: false,
        };
        uploads.insert(name.clone(), upload);
        name
    }

    fn known(&self, upload: &str, operation: &'static str) -> Result<Upload, Error> {
        let found = self.shared.uploads.borrow().get(upload).cloned();
        let found = found.ok_or_else(|| error(Code::NOT_FOUND, operation))?;
        let is_resumed = found.key.contains("/upload-resumed/") && found.instance != self.instance;
        if self.is("knows-its-own-uploads") && is_resumed {
            return Err(error(Code::NOT_FOUND, operation));
        }
        Ok(found)
    }

    pub(crate) async fn write_one(&self, upload: &str, part: Part, mut chunks: Chunks) -> Result<Receipt, Error> {
        let known = self.known(upload, "write-part")?;
        if known.busy && self.is("a-dropped-part-sticks") {
            return Err(error(Code::INTERNAL, "write-part"));
        }
        let busy = |is: bool| {
            if let Some(upload) = self.shared.uploads.borrow_mut().get_mut(upload) {
                upload.busy = is;
            }
        };
        busy(true);
        let mut bytes = Vec::new();
        while let Some(Chunk::Bytes(chunk)) = chunks.next().await {
            bytes.extend_from_slice(&chunk);
        }
        busy(false);
        let (has, wanted) = (bytes.len() as u64, part.length);
        if (has < wanted && !self.is("takes-short-parts")) || (has > wanted && !self.is("takes-long-parts")) {
            return Err(error(Code::TRUNCATED, "write-part"));
        }
        let receipt = Receipt { part: part.number, token: token(part.number, &bytes) };
        if self.is("shows-parts") && known.key.contains("/upload-whole/") {
            self.shared.store(&known.key, &placeholder(&known.key), bytes.clone());
        }
        if let Some(upload) = self.shared.uploads.borrow_mut().get_mut(upload) {
            upload.arrived.push(bytes.clone());
            if self.is("keeps-the-first-of-a-part") {
                upload.parts.entry(part.number).or_insert(bytes);
            } else {
                upload.parts.insert(part.number, bytes);
            }
        }
        Ok(receipt)
    }

    pub(crate) fn commit_upload(
        &self,
        upload: &str,
        object: &Object,
        receipts: &[Receipt],
        replace: Replace,
    ) -> Result<Object, Error> {
        let known = self.known(upload, "commit")?;
        let key = object.key.as_str();
        if replace == Replace::Never && self.shared.has(key) && !self.is("commits-anyway") {
            return Err(error(Code::ALREADY_EXISTS, "commit"));
        }
        let in_order =
            receipts.iter().filter_map(|receipt| known.parts.get(&receipt.part).cloned()).collect::<Vec<_>>();
        let is_reversed = known.key.contains("/upload-out-of-order/");
        let mut bytes =
            if self.is("appends-parts") && is_reversed { known.arrived.concat() } else { in_order.concat() };
        if self.is("loses-a-single-part") && receipts.len() == 1 && key.contains("/upload-one-part/") {
            bytes.clear();
        }
        let theirs = checksums(&bytes);
        let differs = theirs.iter().any(|(which, value)| object.checksums.get(which).is_some_and(|it| it != value));
        let careless = ["commits-unchecked", "appends-parts", "loses-a-single-part", "keeps-the-first-of-a-part"];
        if differs && !careless.contains(&self.crime) {
            return Err(error(Code::CHECKSUM_MISMATCH, "commit"));
        }
        self.shared.uploads.borrow_mut().remove(upload);
        if self.is("commits-nothing-over-the-old") && self.shared.has(key) {
            return Ok(object.clone());
        }
        let mut answer = self.shared.store(key, object, bytes).object(&object.key);
        match self.crime {
            "commits-unchecked" if differs => answer.checksums.clone_from(&object.checksums),
            "commits-with-wrong-checksums" => answer.checksums = flipped(answer.checksums),
            _ => {}
        }
        Ok(answer)
    }

    pub(crate) fn abort_upload(&self, upload: &str) -> Result<(), Error> {
        let is_aborted = |key: &str| key.contains("/upload-aborted/");
        let mut uploads = self.shared.uploads.borrow_mut();
        if self.is("aborts-nothing") && uploads.get(upload).is_some_and(|upload| is_aborted(&upload.key)) {
            return Ok(());
        }
        match uploads.remove(upload) {
            None if self.is("aborts-once") => Err(error(Code::NOT_FOUND, "abort")),
            _ => Ok(()),
        }
    }

    pub(crate) fn parts_of(&self, upload: &str) -> Result<Vec<Held>, Error> {
        let known = self.known(upload, "list-parts")?;
        let mut held: Vec<_> =
            known.parts.iter().map(|(part, bytes)| Held { part: *part, token: Some(token(*part, bytes)) }).collect();
        if self.is("tells-of-another-part") {
            held.push(Held { part: 9_999, token: None });
        }
        Ok(held)
    }

    pub(crate) fn sweep_uploads(&self, keep: &[String]) -> u64 {
        let mut removed = 0;
        self.shared.uploads.borrow_mut().retain(|name, upload| {
            let is_theirs = upload.owner != self.owner && !self.is("sweeps-everybody");
            let is_kept = keep.contains(name) && !self.is("sweeps-what-is-kept");
            let stays = is_theirs || is_kept;
            removed += u64::from(!stays);
            stays
        });
        if self.is("sweeps-and-says-nothing") { 0 } else { removed }
    }
}

/// Something to be seen too early.
fn placeholder(key: &str) -> Object {
    let key = culvert_flow::object::Key::parse(key).unwrap();
    let (kind, checksums, attributes) = (culvert_flow::object::Kind::File, [].into(), [].into());
    Object { key, kind, size: None, modified: None, version: None, checksums, attributes }
}
