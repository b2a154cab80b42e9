//! What a run needs of a transform, which makes other bytes of an object's, and a source behind a row of
//! them. Knows no compression and no cipher.
//!
//! The source behind transforms is a source like any other, but for its listing, which has the objects as
//! they are at the source: the selection goes by those, and [`Recast::of`] makes of them what all others
//! ask for and get.
#![allow(async_fn_in_trait, reason = "a worker and its instances live on one thread: no future needs Send")]

mod intake;
mod through;
mod toll;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use self::{
    intake::Intake,
    through::{Feeding, Through, Upstream, beside},
    toll::Toll,
};
use crate::{
    body::{Chunk, Chunks, body},
    error::{Code, Error},
    object::{Capabilities, Key, Kind, Object, Range},
    recast::{Effect, Recast, of_source},
    rules::{ByteSize, Verify},
    source::{Data, Form, OpenSource, Reading, Source, Wanted},
    tunnel::Tunnel,
};

/// Opens instances of one transform; shared by all workers.
pub trait OpenTransform: Send + Sync + 'static {
    type Transform: Transform;

    fn effect(&self) -> &Effect;

    /// A fresh instance, on the calling worker's thread.
    ///
    /// # Errors
    /// The connector can't be started or refuses its configuration.
    async fn open_transform(&self) -> Result<Self::Transform, Error>;
}

/// One instance of a transform: one object at a time. After an error with `instance_lost` it's dropped.
pub trait Transform: 'static {
    type Output: Output;

    /// Begins with an object, whose bytes are still to come. May take some of them before it returns.
    ///
    /// # Errors
    /// The object can't be transformed.
    async fn apply(&mut self, object: &Object, input: Chunks) -> Result<Self::Output, Error>;
}

/// The bytes that a transform makes.
pub trait Output: Data {
    /// Waits until there are bytes to be read, or there will be none any more.
    ///
    /// # Errors
    /// The transform failed.
    async fn offered(&mut self) -> Result<(), Error>;
}

/// What's the same for all objects that go through the transforms of a run.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The run's: what is read to be transformed takes credit there too.
    pub tunnel: Tunnel,
    /// Whether what is read is held against what the source knows of it.
    pub verify: Verify,
    /// Most bytes that a transform may make of one object.
    pub max_object: ByteSize,
}

/// A source behind transforms; without any, the source itself.
pub struct Transformed<So, Tr> {
    source: So,
    transforms: Vec<Tr>,
    recast: Recast,
    capabilities: Capabilities,
    passage: Passage,
}

/// An instance of it.
pub struct Line<S, T> {
    source: S,
    transforms: Vec<T>,
    effects: Arc<[Effect]>,
    recast: Recast,
    passage: Passage,
}

/// The bytes of an object as they come out at the end.
pub enum Outflow<D, O> {
    Plain(D),
    Through(Through<O>),
}

// === impl Transformed ===

impl<So: OpenSource, Tr: OpenTransform> Transformed<So, Tr> {
    pub fn new(source: So, transforms: Vec<Tr>, passage: Passage) -> Self {
        let recast = Recast::new(transforms.iter().map(|transform| transform.effect().clone()).collect());
        // What comes out has no ranges, goes alone, and keys that ascended may not any more.
        let capabilities = if recast.is_empty() { source.capabilities().clone() } else { Capabilities::default() };
        Self { source, transforms, recast, capabilities, passage }
    }

    /// The one before all transforms.
    pub fn source(&self) -> &So {
        &self.source
    }
}

#[deny(clippy::missing_trait_methods)]
impl<So: OpenSource, Tr: OpenTransform> OpenSource for Transformed<So, Tr> {
    type Source = Line<So::Source, Tr::Transform>;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn recast(&self) -> Recast {
        self.recast.clone()
    }

    async fn open_source(&self) -> Result<Self::Source, Error> {
        let source = self.source.open_source().await?;
        let mut transforms = Vec::with_capacity(self.transforms.len());
        for transform in &self.transforms {
            transforms.push(transform.open_transform().await?);
        }
        let effects = self.transforms.iter().map(|transform| transform.effect().clone()).collect();
        Ok(Line { source, transforms, effects, recast: self.recast.clone(), passage: self.passage.clone() })
    }
}

// === impl Line ===

// A wrapper that forgets one loses what the source can.
#[deny(clippy::missing_trait_methods)]
impl<S: Source, T: Transform> Source for Line<S, T> {
    type Listing = S::Listing;
    type Data = Outflow<S::Data, T::Output>;

    /// Has the objects as they are at the source.
    async fn list(&mut self, folder: Option<&Key>, after: Option<&Key>) -> Result<S::Listing, Error> {
        self.source.list(folder, after).await
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        if self.transforms.is_empty() {
            return self.source.stat(key).await;
        }
        if let Some(origin) = self.recast.origin(key) {
            match self.source.stat(&origin).await {
                Ok(object) if object.kind == Kind::File => return self.recast.of(object),
                Ok(_) => {}
                Err(error) if error.code == Code::NOT_FOUND => {}
                Err(error) => return Err(error),
            }
        }
        // Directories and links have their own keys.
        match self.source.stat(key).await? {
            object if object.kind == Kind::File => {
                let message = "the source has no file that the transforms make this one of";
                Err(Error::new(Code::NOT_FOUND, "stat", message).with_key(key))
            }
            object => Ok(object),
        }
    }

    async fn read(&mut self, key: &Key, range: Range, version: Option<&str>) -> Result<Reading<Self::Data>, Error> {
        if self.transforms.is_empty() {
            let Reading { object, data } = self.source.read(key, range, version).await?;
            return Ok(Reading { object, data: Outflow::Plain(data) });
        }
        if range != (Range { offset: 0, length: None }) {
            let message = "what comes out of a transform is read from its beginning to its end";
            return Err(Error::new(Code::UNSUPPORTED, "read", message).with_key(key));
        }
        let Some(origin) = self.recast.origin(key) else {
            let message = "the source has no file that the transforms make this one of";
            return Err(Error::new(Code::NOT_FOUND, "read", message).with_key(key));
        };
        let Reading { object, data } = self.source.read(&origin, range, of_source(version)).await?;
        let data = self.begin(&object, data).await?;
        Ok(Reading { object: self.recast.of(object)?, data: Outflow::Through(data) })
    }

    async fn read_batch(&mut self, objects: &[Wanted<'_>]) -> Result<Self::Data, Error> {
        if self.transforms.is_empty() {
            return self.source.read_batch(objects).await.map(Outflow::Plain);
        }
        Err(Error::new(Code::UNSUPPORTED, "read-batch", "what comes out of a transform comes alone"))
    }
}

impl<S: Source, T: Transform> Line<S, T> {
    /// Leads the source's bytes through all transforms, one behind the other.
    async fn begin(&mut self, object: &Object, data: S::Data) -> Result<Through<T::Output>, Error> {
        let toll = Rc::new(RefCell::new(Toll::default()));
        let mut upstream: Box<dyn Upstream> =
            Box::new(Intake::new(data, object, self.passage.clone(), Rc::clone(&toll)));
        let mut coming = object.clone();
        let mut last = None;
        for (transform, effect) in self.transforms.iter_mut().zip(&*self.effects) {
            if let Some(through) = last.take() {
                upstream = Box::new(through);
            }
            let (writer, reader) = body();
            let mut feeding = Feeding::new(upstream, writer);
            let output = beside(&mut feeding, transform.apply(&coming, reader.chunks)).await?;
            coming = effect.of(coming)?;
            last = Some(Through::new(output, feeding, self.passage.max_object));
            // What the next one needs is put there in the next turn; without one, nobody asks for it.
            upstream = Box::new(through::Nothing);
        }
        let last = last.ok_or_else(|| Error::new(Code::INTERNAL, "transform", "there is no transform"))?;
        Ok(last.at_the_end(toll))
    }
}

// === impl Outflow ===

#[deny(clippy::missing_trait_methods)]
impl<D: Data, O: Output> Data for Outflow<D, O> {
    async fn prepaid(&mut self) -> Result<usize, Error> {
        match self {
            Self::Plain(data) => data.prepaid().await,
            Self::Through(through) => through.prepaid().await,
        }
    }

    async fn read(&mut self, max: usize, form: Form) -> Result<Option<Chunk>, Error> {
        match self {
            Self::Plain(data) => data.read(max, form).await,
            Self::Through(through) => through.read(max).await,
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        match self {
            Self::Plain(data) => data.finish().await,
            Self::Through(through) => match through.read(1).await? {
                None => Ok(()),
                Some(_) => {
                    let message = "the transform made more bytes than were announced";
                    Err(Error::new(Code::CHANGED, "read", message))
                }
            },
        }
    }
}
