//! The store in memory as a source.

use std::{cell::Cell, rc::Rc};

use bytes::Bytes;
use culvert_flow::{
    body::Chunk,
    error::{Code, Error},
    object::{Key, Object, Range},
    source::{Data, Form, Reading, Source, Wanted},
};

use crate::{
    listing::{MemoryListing, entries},
    store::{Shared, error, flipped},
};

pub(crate) struct MemorySource {
    shared: Rc<Shared>,
    crime: &'static str,
    newest: Rc<Cell<u64>>,
    blocked: Rc<Cell<bool>>,
    missed: Cell<bool>,
}

pub(crate) struct MemoryData {
    bytes: Vec<u8>,
    at: usize,
    blocked: Rc<Cell<bool>>,
    crime: &'static str,
}

// === impl MemorySource ===

impl MemorySource {
    pub(crate) fn new(shared: Rc<Shared>, crime: &'static str) -> Self {
        Self { shared, crime, newest: Rc::default(), blocked: Rc::default(), missed: Cell::new(false) }
    }

    fn data(&self, bytes: Vec<u8>) -> MemoryData {
        MemoryData { bytes, at: 0, blocked: Rc::clone(&self.blocked), crime: self.crime }
    }

    fn is_usable(&self, operation: &'static str) -> Result<(), Error> {
        if self.blocked.get() { Err(error(Code::INTERNAL, operation)) } else { Ok(()) }
    }

    /// The bytes of a range.
    fn cut(&self, bytes: &[u8], range: Range) -> Result<Vec<u8>, Error> {
        let size = bytes.len();
        let (offset, length) =
            (usize::try_from(range.offset).unwrap(), range.length.map(|it| usize::try_from(it).unwrap()));
        match self.crime {
            "empty-range-traps" if length == Some(0) => {
                return Err(Error { instance_lost: true, ..error(Code::TRAP, "read") });
            }
            "wraps-past-the-end" if offset >= size && size > 0 => return Ok(bytes.to_vec()),
            "range-to-the-end" if offset < size => return Ok(bytes[offset..].to_vec()),
            "range-off-by-one" if offset > 0 && length.is_some() => {
                let end = (offset + length.unwrap()).min(size);
                return Ok(bytes[offset.min(size) - 1..end - 1].to_vec());
            }
            _ => {}
        }
        let offset = offset.min(size);
        let end = length.map_or(size, |length| (offset + length).min(size));
        Ok(bytes[offset..end].to_vec())
    }
}

impl Source for MemorySource {
    type Listing = MemoryListing;
    type Data = MemoryData;

    async fn list(&mut self, folder: Option<&Key>, after: Option<&Key>) -> Result<MemoryListing, Error> {
        self.is_usable("list")?;
        self.shared.listings.set(self.shared.listings.get() + 1);
        let number = self.shared.listings.get();
        self.newest.set(number);
        Ok(MemoryListing {
            entries: entries(&self.shared, folder, after, self.crime)?.into_iter(),
            shared: Rc::clone(&self.shared),
            newest: Rc::clone(&self.newest),
            blocked: Rc::clone(&self.blocked),
            number,
            crime: self.crime,
            ended: false,
        })
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        self.is_usable("stat")?;
        let Some(stored) = self.shared.find(key.as_str()) else {
            self.missed.set(true);
            let code = if self.crime == "missing-is-io" { Code::IO } else { Code::NOT_FOUND };
            return Err(error(code, "stat").with_key(key));
        };
        let mut object = stored.object(key);
        match self.crime {
            "stat-tells-another-version" => object.version = Some("another".into()),
            "stat-tells-another-size" if key.as_str().contains("/listing-agrees-with-stat/") => {
                object.size = object.size.map(|size| size + 1);
            }
            "stat-tells-wrong-checksums" => object.checksums = flipped(object.checksums),
            _ => {}
        }
        Ok(object)
    }

    async fn read(&mut self, key: &Key, range: Range, version: Option<&str>) -> Result<Reading<MemoryData>, Error> {
        self.is_usable("read")?;
        let found = self.shared.find(key.as_str());
        let found = match (found, self.crime) {
            (Some(stored), "empty-is-missing") if stored.bytes.is_empty() => None,
            (found, _) => found,
        };
        let Some(stored) = found else {
            if self.crime == "missing-is-empty" {
                let object = Object { size: Some(0), ..empty(key) };
                return Ok(Reading { object, data: self.data(Vec::new()) });
            }
            return Err(error(Code::NOT_FOUND, "read").with_key(key));
        };
        if self.crime == "a-miss-spoils-the-next" && self.missed.replace(false) {
            return Err(error(Code::INTERNAL, "read"));
        }
        let current = format!("v{}", stored.version);
        let fits = match self.crime {
            "no-version-fits" => version.is_none(),
            "ignores-versions" => true,
            _ => version.is_none_or(|version| version == current),
        };
        if !fits {
            return Err(error(Code::CHANGED, "read").with_key(key));
        }
        let mut object = stored.object(key);
        if self.crime == "announces-another-size" && range.length.is_none() && range.offset == 0 {
            object.size = object.size.map(|size| size + 1);
        }
        let mut bytes = self.cut(&stored.bytes, range)?;
        if self.crime == "flips-a-byte" && bytes.len() == 700_001 {
            bytes[300_000] ^= 1;
        }
        Ok(Reading { object, data: self.data(bytes) })
    }

    async fn read_batch(&mut self, objects: &[Wanted<'_>]) -> Result<MemoryData, Error> {
        let mut all = Vec::new();
        for wanted in objects {
            let Some(stored) = self.shared.find(wanted.key.as_str()) else {
                if self.crime == "batch-fills-the-missing" {
                    all.push(vec![0; usize::try_from(wanted.size).unwrap()]);
                    continue;
                }
                return Err(error(Code::NOT_FOUND, "read-batch"));
            };
            let same = format!("v{}", stored.version) == wanted.version;
            if !same && self.crime != "batch-ignores-versions" {
                return Err(error(Code::CHANGED, "read-batch"));
            }
            all.push(stored.bytes);
        }
        if self.crime == "batch-reads-out-of-order" {
            all.reverse();
        }
        Ok(self.data(all.concat()))
    }
}

fn empty(key: &Key) -> Object {
    let (kind, attributes, checksums) = (culvert_flow::object::Kind::File, [].into(), [].into());
    Object { key: key.clone(), kind, size: None, modified: None, version: None, checksums, attributes }
}

// === impl MemoryData ===

impl Data for MemoryData {
    async fn read(&mut self, max: usize, _: Form) -> Result<Option<Chunk>, Error> {
        let left = self.bytes.len() - self.at;
        if left == 0 {
            return Ok(None);
        }
        let max = if self.crime == "sends-more-than-asked" && max < 100 { max + 1 } else { max };
        let chunk = &self.bytes[self.at..self.at + left.min(max)];
        self.at += chunk.len();
        Ok(Some(Chunk::Bytes(Bytes::copy_from_slice(chunk))))
    }

    async fn finish(&mut self) -> Result<(), Error> {
        if self.at < self.bytes.len() { Err(error(Code::CHANGED, "read")) } else { Ok(()) }
    }
}

impl Drop for MemoryData {
    fn drop(&mut self) {
        if self.at < self.bytes.len() && self.crime == "dropped-reading-blocks" {
            self.blocked.set(true);
        }
    }
}
