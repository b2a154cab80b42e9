//! Transforms in memory: each does one thing to the bytes, or one thing wrong.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    body::{Chunk, Chunks},
    error::{Code, Error},
    object::Object,
    recast::Effect,
    source::{Data, Form},
    transform::{OpenTransform, Output, Transform},
};

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Each comes twice.
    Double,
    /// Half of what each chunk has.
    Halve,
    /// All of them, at the end.
    Hoard,
    /// Those of the first chunk, and then it's done.
    LeaveSome,
    /// Without an end, whatever comes in.
    Endless,
    /// It fails behind the first chunk.
    Fail,
}

pub(crate) struct MemoryTransform {
    deed: Deed,
    effect: Effect,
}

pub(crate) struct Instance(Deed);

pub(crate) struct MemoryOutput {
    deed: Deed,
    /// None once it takes no more.
    input: Option<Chunks>,
    hoard: Vec<u8>,
    made: VecDeque<Bytes>,
}

// === impl MemoryTransform ===

impl MemoryTransform {
    /// Puts `suffix` behind each key.
    pub(crate) fn new(deed: Deed, suffix: &str) -> Self {
        Self { deed, effect: Effect { append: suffix.to_owned(), ..Effect::default() } }
    }
}

impl OpenTransform for MemoryTransform {
    type Transform = Instance;

    fn effect(&self) -> &Effect {
        &self.effect
    }

    async fn open_transform(&self) -> Result<Instance, Error> {
        Ok(Instance(self.deed))
    }
}

impl Transform for Instance {
    type Output = MemoryOutput;

    async fn apply(&mut self, _: &Object, input: Chunks) -> Result<MemoryOutput, Error> {
        Ok(MemoryOutput { deed: self.0, input: Some(input), hoard: Vec::new(), made: VecDeque::new() })
    }
}

// === impl MemoryOutput ===

impl MemoryOutput {
    async fn make(&mut self) -> Result<(), Error> {
        while self.made.is_empty() {
            let Some(input) = &mut self.input else { return Ok(()) };
            let Some(Chunk::Bytes(bytes)) = input.next().await else {
                self.input = None;
                let hoard = std::mem::take(&mut self.hoard);
                self.made.extend((!hoard.is_empty()).then(|| hoard.into()));
                return Ok(());
            };
            match self.deed {
                Deed::Double => self.made.push_back(bytes.iter().flat_map(|byte| [*byte; 2]).collect()),
                Deed::Halve => self.made.push_back(bytes.slice(..bytes.len().div_ceil(2))),
                Deed::Hoard => self.hoard.extend_from_slice(&bytes),
                Deed::LeaveSome => {
                    self.input = None;
                    self.made.push_back(bytes);
                }
                Deed::Endless => self.made.push_back(Bytes::from_static(&[7; 4096])),
                Deed::Fail => return Err(Error::new(Code::CORRUPT, "transform", "as the test said")),
            }
        }
        Ok(())
    }
}

impl Output for MemoryOutput {
    async fn offered(&mut self) -> Result<(), Error> {
        self.make().await
    }
}

impl Data for MemoryOutput {
    async fn read(&mut self, max: usize, _: Form) -> Result<Option<Chunk>, Error> {
        self.make().await?;
        let Some(first) = self.made.front_mut() else { return Ok(None) };
        let piece = first.split_to(first.len().min(max));
        if self.deed == Deed::Endless {
            self.made.push_back(Bytes::from_static(&[7; 4096]));
        }
        self.made.retain(|bytes| !bytes.is_empty());
        Ok(Some(Chunk::Bytes(piece)))
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
