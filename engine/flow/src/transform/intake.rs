//! The source's bytes on their way into the first transform: credit, read, hash, in that order. What was
//! read is held against what the source announced and knows before the transform sees its end.

use std::{cell::RefCell, rc::Rc};

use super::{Passage, Toll, through::Upstream};
use crate::{
    body::{Chunk, MAX_CHUNK_BYTES},
    error::{Code, Error},
    hash::Hasher,
    object::{Checksums, Object},
    pump::accept,
    rules::Verify,
    source::{Data, Form},
    transfer::source_agrees,
};

pub(super) struct Intake<D> {
    data: D,
    object: Object,
    passage: Passage,
    toll: Rc<RefCell<Toll>>,
    hasher: Option<Hasher>,
    /// Bytes so far.
    read: u64,
}

// === impl Intake ===

impl<D: Data> Intake<D> {
    pub(super) fn new(data: D, object: &Object, passage: Passage, toll: Rc<RefCell<Toll>>) -> Self {
        let known = object.checksums.keys().copied();
        let hasher = if passage.verify == Verify::Size { Hasher::default() } else { Hasher::new(known) };
        Self { data, object: object.clone(), passage, toll, hasher: Some(hasher), read: 0 }
    }

    async fn chunk(&mut self) -> Result<Option<Chunk>, Error> {
        let left = self.object.size.map_or(u64::MAX, |size| size.saturating_sub(self.read));
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(MAX_CHUNK_BYTES);
        if wanted == 0 {
            self.data.finish().await?;
            return self.ended();
        }
        let free = self.toll.borrow().free_to_read();
        let (chunk, length) = if free > 0 {
            let wanted = wanted.min(free);
            let Some(chunk) = self.data.read(wanted, Form::Bytes).await? else { return self.ended() };
            let length = accept(&chunk, wanted)?;
            (chunk, length)
        } else {
            let tunnel = self.passage.tunnel.clone();
            let mut credit = tunnel.take_bytes(wanted).await;
            let Some(chunk) = self.data.read(credit.bytes(), Form::Bytes).await? else { return self.ended() };
            let length = accept(&chunk, credit.bytes())?;
            credit.spend(length);
            (chunk, length)
        };
        self.toll.borrow_mut().read(length);
        self.read += length as u64;
        match (&chunk, &mut self.hasher) {
            (Chunk::Bytes(bytes), Some(hasher)) => hasher.update(bytes),
            _ => return Err(Error::new(Code::INTERNAL, "read", "an extent of a file came where bytes were asked for")),
        }
        Ok(Some(chunk))
    }

    /// Everything that there is was read; whether that's all is the question.
    fn ended(&mut self) -> Result<Option<Chunk>, Error> {
        if let Some(size) = self.object.size.filter(|size| *size != self.read) {
            let message = format!("the source ended after {} of {size} bytes", self.read);
            return Err(Error::new(Code::TRUNCATED, "read", message));
        }
        let ours = self.hasher.take().map_or_else(Checksums::new, Hasher::finish);
        source_agrees(&self.object, &ours).map(|()| None)
    }
}

impl<D: Data> Upstream for Intake<D> {
    fn next(&mut self) -> super::through::Next<'_> {
        Box::pin(self.chunk())
    }
}
