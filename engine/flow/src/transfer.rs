//! One object, or one part of one, from a source's instance to a sink's: read, pump, verify.
//! Tries once; whether to try again is the worker's decision.

mod batch;
mod carry;
mod copy;
mod gather;
mod reread;
mod upload;
mod verify;

pub(crate) use self::batch::{MAX_BATCH_OBJECTS, MAX_BATCHED_BYTES, Together, put_batch};
pub(crate) use self::carry::{GRACE, settle};
pub(crate) use self::copy::{copy, copy_part};
pub(crate) use self::reread::{read_back, reread};
pub(crate) use self::upload::{Closing, Finished, Upload};
pub use self::verify::Grade;
pub(crate) use self::verify::{part_algorithm, source_agrees};
use crate::{
    body::{Chunks, body},
    error::{Code, Error},
    hash::{Hasher, is_combinable},
    meter::{Meter, Slot},
    object::{Algorithm, Capabilities, Checksums, Kind, Object, Range},
    pump::Order,
    rules::{ByteSize, Verify},
    sink::{PUT_WITHOUT_SIZE, Part, Receipt, Replace, Sink},
    source::{Form, Source},
    sync::{Cancel, Stopped},
    transfer::carry::carry,
    tunnel::Tunnel,
};

/// What's the same for all transfers of a run.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) tunnel: Tunnel,
    pub(crate) stop: Cancel,
    pub(crate) verify: Verify,
    /// What is computed besides.
    pub(crate) also: Vec<Algorithm>,
    pub(crate) replace: Replace,
    pub(crate) sink: Capabilities,
    pub(crate) takes_extents: bool,
    /// What is gathered of an object without a size, for a sink that wants one.
    pub(crate) part_size: ByteSize,
}

/// Where a worker's bytes are counted.
#[derive(Clone, Copy)]
pub(crate) struct Gauge<'a> {
    pub(crate) meter: &'a Meter,
    pub(crate) slot: &'a Slot,
}

/// An object is whole at the sink.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    /// None for what has no bytes: directories and symlinks.
    pub(crate) grade: Option<Grade>,
    /// Those computed from the source's bytes; of a copy inside the store, those that the store keeps.
    pub(crate) checksums: Checksums,
}

/// A part is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredPart {
    pub(crate) receipt: Receipt,
    pub(crate) checksums: Checksums,
}

/// A transfer that failed, and the instances that it took with it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) source_lost: bool,
    pub(crate) sink_lost: bool,
    /// It was the sink that said so.
    pub(crate) from_sink: bool,
    /// Something is visible at the sink under the object's key that isn't the object.
    pub(crate) left_corrupt: bool,
}

/// Moves an object with one `put`.
pub(crate) async fn put<So: Source, Si: Sink>(
    source: &mut So,
    sink: &mut Si,
    object: &Object,
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Moved, Failure> {
    if object.kind != Kind::File {
        return put_empty(sink, object, terms.replace, terms).await;
    }
    let version = object.version.as_deref();
    let reading = terms.stop.or(source.read(&object.key, Range { offset: 0, length: None }, version)).await?;
    let reading = reading.map_err(Failure::source)?;
    verify::unchanged(object, &reading.object)?;
    let object = &known_by_now(object, reading.object);
    if object.size.is_none() && !terms.sink.has(PUT_WITHOUT_SIZE) {
        return gather::put(reading.data, sink, object, terms, gauge).await;
    }
    let algorithms = verify::and_also(verify::whole_algorithms(terms.verify, object, &terms.sink), &terms.also);
    let hasher = Hasher::new(algorithms);
    let order = terms.order(object.size, &hasher, gauge);
    let (writer, reader) = body();
    let putting = sink.put(object, reader, terms.replace);
    let agrees = |ours: &_| verify::source_agrees(object, ours);
    let (pumped, stored) = carry(reading.data, writer, hasher, &order, agrees, putting, &terms.stop).await?;
    let grade = verify::stored(object, pumped.bytes, &pumped.checksums, &stored, terms.verify);
    let grade = grade.map_err(Failure::unverified)?;
    Ok(Moved { bytes: pumped.bytes, grade, checksums: pumped.checksums })
}

/// An object as it was listed, with what its source tells only when it's opened: a checksum, a type.
fn known_by_now(listed: &Object, opened: Object) -> Object {
    let mut object = listed.clone();
    object.checksums.extend(opened.checksums);
    object.attributes.extend(opened.attributes);
    object
}

/// Puts what has no bytes: a directory or a symlink.
pub(crate) async fn put_empty<Si: Sink>(
    sink: &mut Si,
    object: &Object,
    replace: Replace,
    terms: &Terms,
) -> Result<Moved, Failure> {
    let (writer, reader) = body();
    writer.finish(Ok(Checksums::new()));
    let stored = settle(&terms.stop, None, sink.put(object, reader, replace)).await;
    let stored = stored.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
    let grade = verify::stored(object, 0, &Checksums::new(), &stored, terms.verify)?;
    Ok(Moved { bytes: 0, grade, checksums: Checksums::new() })
}

/// Moves one part of an upload.
pub(crate) async fn put_part<So: Source, Si: Sink>(
    source: &mut So,
    sink: &mut Si,
    upload: &Upload,
    part: Part,
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<StoredPart, Failure> {
    let object = &upload.object;
    let range = Range { offset: part.offset, length: Some(part.length) };
    let reading = terms.stop.or(source.read(&object.key, range, object.version.as_deref())).await?;
    let reading = reading.map_err(Failure::source)?;
    verify::unchanged(object, &reading.object)?;
    let algorithm = verify::part_algorithm(terms.verify, &terms.sink).into_iter().collect();
    let combinable: Vec<_> = terms.also.iter().copied().filter(|each| is_combinable(*each)).collect();
    let hasher = Hasher::new(verify::and_also(algorithm, &combinable));
    let order = terms.order(Some(part.length), &hasher, gauge);
    let (writer, reader) = body();
    let chunks: Chunks = reader.chunks;
    let writing = sink.write_part(&upload.token, part, chunks);
    // What the source knows is about the whole object.
    let agrees = |_: &_| Ok(());
    let carried = carry(reading.data, writer, hasher, &order, agrees, writing, &terms.stop).await;
    let (pumped, receipt) = carried.map_err(Failure::of_upload)?;
    if receipt.part != part.number {
        let message = format!("the sink sent a receipt for part {} instead of {}", receipt.part, part.number);
        return Err(Error::new(Code::PROTOCOL, "write-part", message).into());
    }
    Ok(StoredPart { receipt, checksums: pumped.checksums })
}

/// Makes an upload visible, all parts of which are stored.
pub(crate) async fn commit<Si: Sink>(
    sink: &mut Si,
    upload: &Upload,
    finished: &Finished,
    terms: &Terms,
) -> Result<Moved, Failure> {
    let bytes = upload.object.size.unwrap_or(0);
    let ours = verify::combined(finished.parts.iter().map(|(part, stored)| (&stored.checksums, part.length)));
    let mut object = upload.object.clone();
    object.checksums.clone_from(&ours);
    let receipts: Vec<_> = finished.parts.iter().map(|(_, stored)| stored.receipt.clone()).collect();
    let committing = sink.commit(&upload.token, &object, &receipts, terms.replace);
    let stored = settle(&terms.stop, None, committing).await;
    let stored = stored.ok_or_else(Failure::abandoned)?.map_err(|error| Failure::sink(error).of_upload())?;
    let grade = verify::stored(&object, bytes, &ours, &stored, terms.verify).map_err(Failure::unverified)?;
    Ok(Moved { bytes, grade, checksums: ours })
}

// === impl Terms ===

impl Terms {
    fn order<'a>(&'a self, announced: Option<u64>, hasher: &Hasher, gauge: Gauge<'a>) -> Order<'a> {
        let form = if hasher.is_idle() && self.takes_extents { Form::Any } else { Form::Bytes };
        gauge.slot.restart();
        Order { tunnel: &self.tunnel, announced, most: None, form, meter: gauge.meter, slot: gauge.slot }
    }
}

// === impl Failure ===

impl Failure {
    pub(crate) fn source(error: Error) -> Self {
        Self { source_lost: error.instance_lost, ..error.into() }
    }

    pub(crate) fn sink(error: Error) -> Self {
        Self { sink_lost: error.instance_lost, from_sink: true, ..error.into() }
    }

    /// Of a call about an upload: a sink that doesn't know it doesn't lack the object.
    pub(crate) fn of_upload(mut self) -> Self {
        if self.from_sink && self.error.code == Code::NOT_FOUND {
            self.error.code = Code::UPLOAD_GONE;
        }
        self
    }

    /// What the sink says it stored isn't what was sent.
    fn unverified(error: Error) -> Self {
        Self { left_corrupt: error.code == Code::CHECKSUM_MISMATCH, ..error.into() }
    }

    /// A call was dropped half-way: its instance can't take another.
    pub(crate) fn abandoned() -> Self {
        let error = Error::new(Code::CANCELLED, "read", "the run was stopped");
        Self { source_lost: true, sink_lost: true, ..error.into() }
    }
}

/// A failure that takes no instance with it.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, source_lost: false, sink_lost: false, from_sink: false, left_corrupt: false }
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Self::abandoned()
    }
}
