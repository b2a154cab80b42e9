//! Small objects from a source's instance to a sink's, many with one call each. Every object has a
//! result of its own, and what went wrong with one of them, or with the batch, is for the worker to
//! do again by itself. Tries once.

use bytes::{Bytes, BytesMut};

use super::{Failure, Gauge, Moved, Terms, settle, verify};
use crate::{
    body::{Chunk, MAX_CHUNK_BYTES, body},
    error::{Code, Error},
    hash::Hasher,
    object::{Checksums, Object},
    pump::{Broken, Onward, Order, pump},
    sink::{Packed, Sink},
    source::{Form, Source, Wanted},
};

/// Most objects of a batch: what a call costs is then a small part of each of them, and a batch that
/// has to be done again one by one costs some milliseconds.
pub(crate) const MAX_BATCH_OBJECTS: usize = 64;
/// Largest object of a batch, in bytes: with larger ones, a credit covers too few for a call to matter.
pub(crate) const MAX_BATCHED_BYTES: u64 = 64 * 1024;

/// Moves files, each of which has a size and a version, and together are at most one chunk.
pub(crate) async fn put_batch<So: Source, Si: Sink>(
    source: &mut So,
    sink: &mut Si,
    objects: &[&Object],
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Vec<Result<Moved, Failure>>, Failure> {
    let bytes = read(source, objects, terms, gauge).await?;
    let mut checksums = Vec::with_capacity(objects.len());
    let mut rest = &bytes[..];
    for object in objects {
        let (content, behind) = rest.split_at(rest.len().min(size(object)));
        rest = behind;
        let ours = hash(object, content, terms);
        verify::source_agrees(object, &ours)?;
        checksums.push(ours);
    }
    let pack = |(object, checksums)| Packed { object, size: size(object) as u64, checksums };
    let packed: Vec<_> = objects.iter().copied().zip(&checksums).map(pack).collect();
    let (mut writer, reader) = body();
    if !bytes.is_empty() && writer.write(Chunk::Bytes(bytes)).await.is_err() {
        return Err(Error::new(Code::INTERNAL, "put-batch", "the body has no reader").into());
    }
    let delivery = writer.finish(Ok(Checksums::new()));
    let putting = settle(&terms.stop, None, sink.put_batch(&packed, reader.chunks, terms.replace)).await;
    let results = putting.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
    if results.len() != objects.len() {
        let message = format!("the sink answered about {} of {} objects", results.len(), objects.len());
        return Err(Error::new(Code::PROTOCOL, "put-batch", message).into());
    }
    let was_taken = delivery.is_complete();
    let judge = |(packed, result): (&Packed<'_>, Result<_, Error>)| {
        let stored: crate::sink::Stored = result.map_err(Failure::sink)?;
        if !was_taken {
            let message = "the sink says that it's done, but didn't take all bytes";
            let failure = Failure::from(Error::new(Code::PROTOCOL, "put-batch", message));
            return Err(Failure { left_corrupt: true, ..failure });
        }
        let Packed { size, checksums, .. } = *packed;
        let grade = verify::grade(size, checksums, stored.size, &stored.checksums, terms.verify);
        let grade = Some(grade.map_err(Failure::unverified)?);
        Ok(Moved { bytes: size, grade, checksums: checksums.clone() })
    };
    Ok(packed.iter().zip(results).map(judge).collect())
}

/// All their bytes, under credit, once the source has said that they are whole.
async fn read<So: Source>(
    source: &mut So,
    objects: &[&Object],
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Bytes, Failure> {
    let wanted: Vec<_> = objects.iter().copied().map(want).collect();
    let mut data = terms.stop.or(source.read_batch(&wanted)).await?.map_err(Failure::source)?;
    let announced = wanted.iter().map(|wanted| wanted.size).sum();
    let Gauge { meter, slot } = gauge;
    slot.restart();
    let order = Order { tunnel: &terms.tunnel, announced: Some(announced), form: Form::Bytes, meter, slot };
    let mut chunks = Vec::with_capacity(1);
    match terms.stop.or(pump(&mut data, Onward::Batch(&mut chunks), Hasher::default(), &order)).await? {
        Ok(_) => Ok(together(chunks)?),
        Err(Broken::Source(error)) => Err(Failure::source(error)),
        Err(Broken::SinkGone) => Err(Error::new(Code::INTERNAL, "read-batch", "a batch has no sink yet").into()),
    }
}

/// Chunks in a row as one; mostly there is one.
fn together(chunks: Vec<Chunk>) -> Result<Bytes, Error> {
    let take = |chunk| match chunk {
        Chunk::Bytes(bytes) => Ok(bytes),
        Chunk::Extent(_) => {
            Err(Error::new(Code::INTERNAL, "read-batch", "an extent of a file came where bytes were asked for"))
        }
    };
    let mut chunks = chunks.into_iter().map(take).collect::<Result<Vec<_>, _>>()?;
    if chunks.len() <= 1 {
        return Ok(chunks.pop().unwrap_or_default());
    }
    let mut all = BytesMut::with_capacity(MAX_CHUNK_BYTES);
    chunks.iter().for_each(|bytes| all.extend_from_slice(bytes));
    Ok(all.freeze())
}

fn hash(object: &Object, content: &[u8], terms: &Terms) -> Checksums {
    let wanted = verify::whole_algorithms(terms.verify, object, &terms.sink);
    let mut hasher = Hasher::new(verify::and_also(wanted, &terms.also));
    hasher.update(content);
    hasher.finish()
}

fn want(object: &Object) -> Wanted<'_> {
    let version = object.version.as_deref().unwrap_or_default();
    Wanted { key: &object.key, size: size(object) as u64, version }
}

/// An object without a size isn't batched.
fn size(object: &Object) -> usize {
    usize::try_from(object.size.unwrap_or(0)).unwrap_or(usize::MAX)
}
