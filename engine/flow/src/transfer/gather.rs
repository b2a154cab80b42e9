//! An object without a size into a sink that wants one: what fits into one part is gathered and put whole,
//! more of it is uploaded part by part, in order, by the one worker that reads it. Holds one part.

use super::{Failure, Gauge, Moved, StoredPart, Terms, carry::GRACE, settle, verify};
use crate::{
    body::{BodyWriter, Gathered, SinkGone, body},
    error::{Code, Error},
    hash::{Hasher, is_combinable},
    object::{Algorithm, Checksums, Object},
    pump::{Broken, Onward, Order, Pumped, pump},
    rules::MAX_PARTS,
    sink::{Part, Sink},
    source::{Data, Form},
};

/// Bytes whose number is known now.
struct Piece {
    gathered: Gathered,
    pumped: Pumped,
}

/// What is uploaded so far.
struct Progress {
    token: String,
    parts: Vec<(Part, StoredPart)>,
}

/// Moves an object whose size nobody knows.
pub(super) async fn put<D: Data, Si: Sink>(
    mut data: D,
    sink: &mut Si,
    object: &Object,
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Moved, Failure> {
    let whole = verify::and_also(verify::whole_algorithms(terms.verify, object, &terms.sink), &terms.also);
    let of_parts = part_algorithms(terms);
    let first = gather(&mut data, &verify::and_also(whole, &of_parts), terms, gauge).await?;
    if first.pumped.ended {
        drop(data);
        return put_whole(first, sink, object, terms).await;
    }
    if !terms.sink.has("parts") {
        let most = terms.part_size.0;
        let message = format!(
            "the sink wants to know the size before the first byte, which a transform can't tell, and takes no parts; \
             what is larger than part_size ({most} bytes) can't be moved there"
        );
        return Err(Error::new(Code::UNSUPPORTED, "put", message).into());
    }
    let begun = settle(&terms.stop, None, sink.begin(object)).await;
    let token = begun.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
    let mut progress = Progress { token, parts: Vec::new() };
    match upload(first, &mut data, sink, (object, &of_parts), &mut progress, terms, gauge).await {
        Ok(moved) => Ok(moved),
        Err(failure) if failure.sink_lost => Err(failure),
        Err(failure) => {
            // It's of no use to anybody: who reads the object again gets other bytes, perhaps.
            match settle(&terms.stop, Some(GRACE), sink.abort(&progress.token)).await {
                Some(Ok(())) => Err(failure),
                Some(Err(error)) => Err(Failure { sink_lost: error.instance_lost, ..failure }),
                None => Err(Failure { sink_lost: true, ..failure }),
            }
        }
    }
}

fn part_algorithms(terms: &Terms) -> Vec<Algorithm> {
    let combinable: Vec<_> = terms.also.iter().copied().filter(|each| is_combinable(*each)).collect();
    verify::and_also(verify::part_algorithm(terms.verify, &terms.sink).into_iter().collect(), &combinable)
}

async fn gather<D: Data>(
    data: &mut D,
    algorithms: &[Algorithm],
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Piece, Failure> {
    let mut gathered = Gathered::default();
    let most = Some(terms.part_size.0);
    let order = Order { most, form: Form::Bytes, ..terms.order(None, &Hasher::default(), gauge) };
    let hasher = Hasher::new(algorithms.iter().copied());
    match terms.stop.or(pump(data, Onward::Gathering(&mut gathered), hasher, &order)).await? {
        Ok(pumped) => Ok(Piece { gathered, pumped }),
        Err(Broken::Source(error)) => Err(Failure::source(error)),
        // Nobody else takes what is gathered.
        Err(Broken::SinkGone) => Err(Error::new(Code::INTERNAL, "put", "there is nothing to write to").into()),
    }
}

/// All of it fitted into one part, so its size is known.
async fn put_whole<Si: Sink>(piece: Piece, sink: &mut Si, object: &Object, terms: &Terms) -> Result<Moved, Failure> {
    let Piece { gathered, pumped: Pumped { bytes, checksums, .. } } = piece;
    let object = Object { size: Some(bytes), ..object.clone() };
    let (writer, reader) = body();
    let ours = checksums.clone();
    let feeding = async move { feed(gathered, writer).await.map(|writer| writer.finish(Ok(ours))) };
    let putting = async {
        let (fed, stored) = tokio::join!(feeding, sink.put(&object, reader, terms.replace));
        (fed, stored)
    };
    let (fed, stored) = settle(&terms.stop, None, putting).await.ok_or_else(Failure::abandoned)?;
    let stored = stored.map_err(Failure::sink)?;
    if !fed.is_ok_and(|delivery| delivery.is_complete()) {
        return Err(half_taken("put"));
    }
    let grade = verify::stored(&object, bytes, &checksums, &stored, terms.verify).map_err(Failure::unverified)?;
    Ok(Moved { bytes, grade, checksums })
}

async fn feed(gathered: Gathered, mut writer: BodyWriter) -> Result<BodyWriter, SinkGone> {
    for chunk in gathered.into_chunks() {
        writer.write(chunk).await?;
    }
    Ok(writer)
}

/// It may have stored as many bytes as there are, but not these.
fn half_taken(operation: &'static str) -> Failure {
    let message = "the sink says that it's done, but didn't take all bytes";
    let left_corrupt = operation == "put";
    Failure { left_corrupt, ..Error::new(Code::PROTOCOL, operation, message).into() }
}

async fn upload<D: Data, Si: Sink>(
    first: Piece,
    data: &mut D,
    sink: &mut Si,
    (object, algorithms): (&Object, &[Algorithm]),
    progress: &mut Progress,
    terms: &Terms,
    gauge: Gauge<'_>,
) -> Result<Moved, Failure> {
    let (mut piece, mut offset) = (first, 0);
    loop {
        let ended = piece.pumped.ended;
        // The last one may have ended just where it begins.
        if piece.pumped.bytes > 0 {
            offset += write_part(piece, sink, offset, algorithms, progress, terms).await?;
        }
        if ended {
            break;
        }
        piece = gather(data, algorithms, terms, gauge).await?;
    }
    let ours = verify::combined(progress.parts.iter().map(|(part, stored)| (&stored.checksums, part.length)));
    let object = Object { size: Some(offset), checksums: ours.clone(), ..object.clone() };
    let receipts: Vec<_> = progress.parts.iter().map(|(_, stored)| stored.receipt.clone()).collect();
    let committing = sink.commit(&progress.token, &object, &receipts, terms.replace);
    let stored = settle(&terms.stop, None, committing).await;
    let stored = stored.ok_or_else(Failure::abandoned)?.map_err(|error| Failure::sink(error).of_upload())?;
    let grade = verify::stored(&object, offset, &ours, &stored, terms.verify).map_err(Failure::unverified)?;
    Ok(Moved { bytes: offset, grade, checksums: ours })
}

/// Writes the next part, and says how long it is.
async fn write_part<Si: Sink>(
    piece: Piece,
    sink: &mut Si,
    offset: u64,
    algorithms: &[Algorithm],
    progress: &mut Progress,
    terms: &Terms,
) -> Result<u64, Failure> {
    let Piece { gathered, pumped: Pumped { bytes: length, checksums, .. } } = piece;
    let number = u32::try_from(progress.parts.len() + 1).unwrap_or(u32::MAX);
    if number > MAX_PARTS {
        let message = format!("it has more than {MAX_PARTS} parts of {} bytes: raise part_size", terms.part_size.0);
        return Err(Error::new(Code::TOO_LARGE, "write-part", message).into());
    }
    let part = Part { number, offset, length };
    let (writer, reader) = body();
    let writing = async {
        let feeding = async move { feed(gathered, writer).await.map(|writer| writer.finish(Ok(Checksums::new()))) };
        tokio::join!(feeding, sink.write_part(&progress.token, part, reader.chunks))
    };
    let (fed, receipt) = settle(&terms.stop, None, writing).await.ok_or_else(Failure::abandoned)?;
    let receipt = receipt.map_err(|error| Failure::sink(error).of_upload())?;
    if !fed.is_ok_and(|delivery| delivery.is_complete()) {
        return Err(half_taken("write-part"));
    }
    if receipt.part != number {
        let message = format!("the sink sent a receipt for part {} instead of {number}", receipt.part);
        return Err(Error::new(Code::PROTOCOL, "write-part", message).into());
    }
    let checksums = checksums.into_iter().filter(|(algorithm, _)| algorithms.contains(algorithm)).collect();
    progress.parts.push((part, StoredPart { receipt, checksums }));
    Ok(length)
}
