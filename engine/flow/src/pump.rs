//! The chunk loop: credit, read, hash, write, in that order. Opens nothing, verifies nothing,
//! retries nothing. What comes out of a transform may have had its credit when it went in.

use crate::{
    body::{BodyWriter, Chunk, Gathered, MAX_CHUNK_BYTES, SinkGone},
    error::{Code, Error},
    hash::Hasher,
    meter::{Meter, Slot},
    object::Checksums,
    source::{Data, Form},
    tunnel::{Credit, Tunnel},
};

/// What a pump is told about the bytes it moves.
pub(crate) struct Order<'a> {
    pub(crate) tunnel: &'a Tunnel,
    /// How many bytes there are; none where the source can't tell.
    pub(crate) announced: Option<u64>,
    /// After so many it stops, whether there are more or not; none: at the end.
    pub(crate) most: Option<u64>,
    /// [`Form::Any`] only if nothing is hashed and the sink takes extents.
    pub(crate) form: Form,
    pub(crate) meter: &'a Meter,
    pub(crate) slot: &'a Slot,
}

/// Where the bytes go.
pub(crate) enum Onward<'a> {
    /// To a sink.
    Body(&'a mut BodyWriter),
    /// To a sink once there is all of it: small objects, that go together.
    Batch(&'a mut Vec<Chunk>),
    /// To a sink once there is as much as it takes at once: what has no size.
    Gathering(&'a mut Gathered),
    /// Nowhere: they were read back to be hashed.
    Nowhere,
}

/// What the next chunk goes by.
enum Permit<'a> {
    Credit(Credit<'a>),
    /// Most bytes that have had credit.
    Prepaid(usize),
}

/// All that was announced or asked for went over.
#[derive(Debug)]
pub(crate) struct Pumped {
    pub(crate) bytes: u64,
    /// The source has said that there is no more.
    pub(crate) ended: bool,
    pub(crate) checksums: Checksums,
}

/// Why the bytes stopped.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The sink says why.
    SinkGone,
    Source(Error),
}

/// Moves every byte of `data` onward; a body's end is the caller's to say.
pub(crate) async fn pump<D: Data>(
    data: &mut D,
    mut onward: Onward<'_>,
    mut hasher: Hasher,
    order: &Order<'_>,
) -> Result<Pumped, Broken> {
    let mut bytes = 0;
    while let Some(wanted) = order.wanted(bytes) {
        let mut permit = order.permit(wanted, data.prepaid().await?).await;
        let Some(chunk) = data.read(permit.bytes(), order.form).await? else {
            return order.ended(bytes, hasher);
        };
        let length = accept(&chunk, permit.bytes())?;
        permit.spend(length);
        drop(permit);
        hash(&mut hasher, &chunk)?;
        onward.write(chunk).await?;
        bytes += length as u64;
        onward.count(length as u64, order);
    }
    let ended = order.most.is_none_or(|most| bytes < most);
    if ended {
        data.finish().await?;
    }
    Ok(Pumped { bytes, ended, checksums: hasher.finish() })
}

/// A guest's chunk is data from outside: its length is checked before it counts.
pub(crate) fn accept(chunk: &Chunk, asked: usize) -> Result<usize, Error> {
    match chunk.len() {
        0 => Err(Error::new(Code::PROTOCOL, "read", "the source sent an empty chunk")),
        length if length > asked => {
            let message = format!("the source sent a chunk of {length} bytes where {asked} were asked for");
            Err(Error::new(Code::PROTOCOL, "read", message))
        }
        length => Ok(length),
    }
}

fn hash(hasher: &mut Hasher, chunk: &Chunk) -> Result<(), Error> {
    match chunk {
        Chunk::Bytes(bytes) => hasher.update(bytes),
        Chunk::Extent(_) if hasher.is_idle() => {}
        Chunk::Extent(_) => {
            return Err(Error::new(Code::INTERNAL, "read", "an extent of a file came where bytes were asked for"));
        }
    }
    Ok(())
}

// === impl Order ===

impl Order<'_> {
    /// Most bytes of the next chunk; none once everything announced has been read.
    fn wanted(&self, bytes: u64) -> Option<usize> {
        let last = self.announced.unwrap_or(u64::MAX).min(self.most.unwrap_or(u64::MAX));
        let rest = usize::try_from(last - bytes).unwrap_or(usize::MAX);
        (rest > 0).then_some(rest.min(MAX_CHUNK_BYTES))
    }

    /// A credit, unless the next bytes have had theirs.
    async fn permit(&self, wanted: usize, prepaid: usize) -> Permit<'_> {
        match prepaid {
            0 => Permit::Credit(self.tunnel.take_bytes(wanted).await),
            prepaid => Permit::Prepaid(wanted.min(prepaid)),
        }
    }

    /// The source has ended by itself.
    fn ended(&self, bytes: u64, hasher: Hasher) -> Result<Pumped, Broken> {
        match self.announced {
            None => Ok(Pumped { bytes, ended: true, checksums: hasher.finish() }),
            Some(announced) => {
                let message = format!("the source ended after {bytes} of {announced} bytes");
                Err(Error::new(Code::TRUNCATED, "read", message).into())
            }
        }
    }
}

// === impl Onward ===

impl Onward<'_> {
    async fn write(&mut self, chunk: Chunk) -> Result<(), SinkGone> {
        match self {
            Self::Body(body) => body.write(chunk).await,
            Self::Batch(chunks) => {
                chunks.push(chunk);
                Ok(())
            }
            Self::Gathering(gathered) => {
                gathered.push(chunk);
                Ok(())
            }
            Self::Nowhere => Ok(()),
        }
    }

    fn count(&self, bytes: u64, order: &Order<'_>) {
        match self {
            Self::Body(_) | Self::Batch(_) | Self::Gathering(_) => order.meter.bytes.add(bytes),
            Self::Nowhere => order.meter.bytes_read_back.add(bytes),
        }
        order.slot.add(bytes);
    }
}

// === impl Permit ===

impl Permit<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Credit(credit) => credit.bytes(),
            Self::Prepaid(bytes) => *bytes,
        }
    }

    fn spend(&mut self, bytes: usize) {
        match self {
            Self::Credit(credit) => credit.spend(bytes),
            Self::Prepaid(_) => {}
        }
    }
}

// === impl Broken ===

impl From<SinkGone> for Broken {
    fn from(_: SinkGone) -> Self {
        Self::SinkGone
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Source(error)
    }
}
