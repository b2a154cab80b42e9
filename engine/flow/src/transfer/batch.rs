//! Small objects from a source's instance to a sink's, many with one call at one end or at both. Every
//! object has a result of its own, and what went wrong with one of them, or with the batch, is for the
//! worker to do again by itself. Tries once.

use std::{borrow::Cow, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::{Failure, Gauge, Moved, Terms, known_by_now, settle, verify};
use crate::{
    body::{Chunk, MAX_CHUNK_BYTES, body},
    error::{Code, Error},
    hash::Hasher,
    object::{Checksums, Object, Range},
    pump::{Broken, Onward, Order, pump},
    sink::{Packed, Sink, Stored},
    source::{Data, Form, Source, Wanted},
};

/// Most objects of a batch: what a call costs is then a small part of each of them, and a batch that
/// has to be done again one by one costs some milliseconds.
pub(crate) const MAX_BATCH_OBJECTS: usize = 64;
/// Largest object of a batch, in bytes: with larger ones, a credit covers too few for a call to matter.
pub(crate) const MAX_BATCHED_BYTES: u64 = 64 * 1024;

/// Longest that objects wait for others of their batch to be read: a source that's far away fills no batch,
/// and what a crash costs stays small.
const GATHER_TIME: Duration = Duration::from_millis(100);

/// Who takes many objects with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Together {
    Both,
    /// They are read together and put one by one.
    Source,
    /// They are read one by one and put together.
    Sink,
}

/// Of each object of a batch what became of it; none where it wasn't its turn.
pub(crate) type Results = Vec<Option<Result<Moved, Failure>>>;

/// Objects that were read, and all their bytes.
struct Pile<'a> {
    members: Vec<Member<'a>>,
    bytes: Bytes,
}

struct Member<'a> {
    /// Its place in the batch.
    place: usize,
    object: Cow<'a, Object>,
    checksums: Checksums,
}

/// Moves files, each of which has a size and a version, and together are at most one chunk.
///
/// # Errors
/// What concerns no single one of them.
pub(crate) async fn put_batch<So: Source, Si: Sink>(
    source: &mut So,
    sink: &mut Si,
    objects: &[&Object],
    terms: &Terms,
    gauge: Gauge<'_>,
    together: Together,
) -> Result<Results, Failure> {
    gauge.slot.restart();
    let mut results: Results = objects.iter().map(|_| None).collect();
    let pile = match together {
        Together::Sink => read_each(source, objects, terms, gauge, &mut results).await,
        Together::Both | Together::Source => read_together(source, objects, terms, gauge).await?,
    };
    match together {
        _ if pile.members.is_empty() => {}
        Together::Source => put_each(sink, &pile, terms, &mut results).await,
        Together::Both | Together::Sink => put_together(sink, &pile, terms, &mut results).await?,
    }
    Ok(results)
}

/// All their bytes, under credit, once the source has said that they are whole.
async fn read_together<'a, So: Source>(
    source: &mut So,
    objects: &[&'a Object],
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Pile<'a>, Failure> {
    let wanted: Vec<_> = objects.iter().copied().map(want).collect();
    let mut data = terms.stop.or(source.read_batch(&wanted)).await?.map_err(Failure::source)?;
    let announced = wanted.iter().map(|wanted| wanted.size).sum();
    let bytes = read(&mut data, announced, terms, gauge).await?;
    let mut members = Vec::with_capacity(objects.len());
    let mut rest = &bytes[..];
    for (place, object) in objects.iter().copied().enumerate() {
        let (content, behind) = rest.split_at(rest.len().min(size(object)));
        rest = behind;
        members.push(Member { place, object: Cow::Borrowed(object), checksums: hashed(object, content, terms)? });
    }
    Ok(Pile { members, bytes })
}

/// The same of each by itself, until that has taken long enough.
async fn read_each<'a, So: Source>(
    source: &mut So,
    objects: &[&'a Object],
    terms: &Terms,
    gauge: Gauge<'_>,
    results: &mut Results,
) -> Pile<'a> {
    let begin = Instant::now();
    let mut members = Vec::with_capacity(objects.len());
    // A chunk is in a buffer of the pool, which is wanted for the next one.
    let mut bytes = BytesMut::with_capacity(objects.iter().map(|object| size(object)).sum());
    for (place, object) in objects.iter().copied().enumerate() {
        if place > 0 && begin.elapsed() >= GATHER_TIME {
            break;
        }
        match read_one(source, object, terms, gauge).await {
            Ok((object, content, checksums)) => {
                bytes.extend_from_slice(&content);
                members.push(Member { place, object: Cow::Owned(object), checksums });
            }
            Err(failure) => {
                let lost = failure.source_lost;
                results[place] = Some(Err(failure));
                if lost {
                    break;
                }
            }
        }
    }
    Pile { members, bytes: bytes.freeze() }
}

async fn read_one<So: Source>(
    source: &mut So,
    object: &Object,
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<(Object, Bytes, Checksums), Failure> {
    let range = Range { offset: 0, length: None };
    let reading = terms.stop.or(source.read(&object.key, range, object.version.as_deref())).await?;
    let mut reading = reading.map_err(Failure::source)?;
    verify::unchanged(object, &reading.object)?;
    let object = known_by_now(object, reading.object);
    let content = read(&mut reading.data, size(&object) as u64, terms, gauge).await?;
    let checksums = hashed(&object, &content, terms)?;
    Ok((object, content, checksums))
}

/// So many bytes, under credit.
async fn read<D: Data>(data: &mut D, announced: u64, terms: &Terms, gauge: Gauge<'_>) -> Result<Bytes, Failure> {
    let Gauge { meter, slot } = gauge;
    let order = Order { tunnel: &terms.tunnel, announced: Some(announced), most: None, form: Form::Bytes, meter, slot };
    let mut chunks = Vec::with_capacity(1);
    match terms.stop.or(pump(data, Onward::Batch(&mut chunks), Hasher::default(), &order)).await? {
        Ok(_) => Ok(in_a_row(chunks)?),
        Err(Broken::Source(error)) => Err(Failure::source(error)),
        Err(Broken::SinkGone) => Err(Error::new(Code::INTERNAL, "read-batch", "a batch has no sink yet").into()),
    }
}

async fn put_together<Si: Sink>(
    sink: &mut Si,
    pile: &Pile<'_>,
    terms: &Terms,
    results: &mut Results,
) -> Result<(), Failure> {
    let packed = pile.members.iter().map(Member::packed).collect::<Vec<_>>();
    let (mut writer, reader) = body();
    if !pile.bytes.is_empty() && writer.write(Chunk::Bytes(pile.bytes.clone())).await.is_err() {
        return Err(Error::new(Code::INTERNAL, "put-batch", "the body has no reader").into());
    }
    let delivery = writer.finish(Ok(Checksums::new()));
    let putting = settle(&terms.stop, None, sink.put_batch(&packed, reader.chunks, terms.replace)).await;
    let stored = putting.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
    if stored.len() != packed.len() {
        let message = format!("the sink answered about {} of {} objects", stored.len(), packed.len());
        return Err(Error::new(Code::PROTOCOL, "put-batch", message).into());
    }
    for (member, stored) in pile.members.iter().zip(stored) {
        results[member.place] = Some(judge(member, stored, delivery.is_complete(), terms));
    }
    Ok(())
}

/// What a sink says of one object of a batch.
fn judge(member: &Member<'_>, stored: Result<Stored, Error>, was_taken: bool, terms: &Terms) -> Result<Moved, Failure> {
    let stored = stored.map_err(Failure::sink)?;
    if !was_taken {
        return Err(not_taken("put-batch"));
    }
    let (size, checksums) = (size(&member.object) as u64, &member.checksums);
    let grade = verify::grade(size, checksums, stored.size, &stored.checksums, terms.verify);
    let grade = Some(grade.map_err(Failure::unverified)?);
    Ok(Moved { bytes: size, grade, checksums: checksums.clone() })
}

async fn put_each<Si: Sink>(sink: &mut Si, pile: &Pile<'_>, terms: &Terms, results: &mut Results) {
    let mut begin = 0;
    for member in &pile.members {
        let end = begin + size(&member.object);
        let put = put_one(sink, member, pile.bytes.slice(begin..end), terms).await;
        begin = end;
        let lost = put.as_ref().is_err_and(|failure| failure.sink_lost);
        results[member.place] = Some(put);
        if lost {
            break;
        }
    }
}

async fn put_one<Si: Sink>(
    sink: &mut Si,
    member: &Member<'_>,
    content: Bytes,
    terms: &Terms,
) -> Result<Moved, Failure> {
    let (object, checksums, bytes) = (member.object.as_ref(), &member.checksums, content.len() as u64);
    let (mut writer, reader) = body();
    if !content.is_empty() && writer.write(Chunk::Bytes(content)).await.is_err() {
        return Err(Error::new(Code::INTERNAL, "put", "the body has no reader").into());
    }
    let delivery = writer.finish(Ok(checksums.clone()));
    let stored = settle(&terms.stop, None, sink.put(object, reader, terms.replace)).await;
    let stored = stored.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
    if !delivery.is_complete() {
        return Err(not_taken("put"));
    }
    let grade = verify::stored(object, bytes, checksums, &stored, terms.verify).map_err(Failure::unverified)?;
    Ok(Moved { bytes, grade, checksums: checksums.clone() })
}

/// It may have stored as many bytes as there are, but not these.
fn not_taken(operation: &'static str) -> Failure {
    let message = "the sink says that it's done, but didn't take all bytes";
    Failure { left_corrupt: true, ..Error::new(Code::PROTOCOL, operation, message).into() }
}

/// Chunks in a row as one; mostly there is one.
fn in_a_row(chunks: Vec<Chunk>) -> Result<Bytes, Error> {
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

/// The checksums of what was read, which must be what the source itself knows.
fn hashed(object: &Object, content: &[u8], terms: &Terms) -> Result<Checksums, Error> {
    let wanted = verify::whole_algorithms(terms.verify, object, &terms.sink);
    let mut hasher = Hasher::new(verify::and_also(wanted, &terms.also));
    hasher.update(content);
    let ours = hasher.finish();
    verify::source_agrees(object, &ours)?;
    Ok(ours)
}

fn want(object: &Object) -> Wanted<'_> {
    let version = object.version.as_deref().unwrap_or_default();
    Wanted { key: &object.key, size: size(object) as u64, version }
}

/// An object without a size isn't batched.
fn size(object: &Object) -> usize {
    usize::try_from(object.size.unwrap_or(0)).unwrap_or(usize::MAX)
}

// === impl Member ===

impl Member<'_> {
    fn packed(&self) -> Packed<'_> {
        Packed { object: &self.object, size: size(&self.object) as u64, checksums: &self.checksums }
    }
}
