//! Readings: all of an object, any range of it, one version of it, in pieces of any size.

use culvert_flow::{
    body::MAX_CHUNK_BYTES,
    error::Code,
    object::{Checksums, Object, Range},
    sink::Replace,
    source::{Data, Form, Reading, Source},
};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, checksums, put},
        fetch::{self, EVERYTHING},
        file, parsed,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

/// How often an object is replaced by one of the same size, to see its versions.
const REPLACED: usize = 10;
/// Some chunks, and not a multiple of them.
const SAMPLE: usize = 700_001;

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Reader, Reads};
    vec![
        case!("read-whole", "a reading has the object's bytes, and says its key and its size", [Reader], whole),
        case!("read-empty-object", "an object without bytes is read as one", [Both], empty_object),
        case!("read-in-pieces", "no chunk is larger than what's asked for, down to a byte", [Reader], in_pieces),
        case!(
            "read-ranges",
            "the first byte, the last, some in the middle and all to the end are those of the object",
            [Reader, Reads("range-read")],
            ranges
        ),
        case!(
            "read-past-the-end",
            "a range that begins at the end or behind it has no bytes, or is refused",
            [Reader, Reads("range-read")],
            past_the_end
        ),
        case!(
            "read-empty-range",
            "a range of no bytes has none, or is refused",
            [Reader, Reads("range-read")],
            empty_range
        ),
        case!("read-version", "with the version that was listed, the object is read", [Reader], version),
        case!(
            "read-stale-version",
            "with the version of an object that was replaced, the reading fails with changed",
            [Both],
            stale
        ),
        case!("read-missing", "reading what isn't there fails with not-found", [Reader], missing),
        case!("stat-missing", "looking up what isn't there fails with not-found", [Reader], stat_missing),
        case!("read-checksums", "checksums that the store tells are those of the bytes", [Reader], true_checksums),
        case!(
            "read-beside-read",
            "an instance reads one object after the other, and after one that's missing",
            [Reader],
            in_a_row
        ),
    ]
}

pub(super) fn same(bytes: &[u8], expected: &[u8], what: &str) -> Result<(), Fault> {
    if bytes == expected {
        return Ok(());
    }
    let at = bytes.iter().zip(expected).position(|(one, other)| one != other);
    Err(Fault::Failed(format!(
        "{what}: expected {} bytes, got {}; the first that differs is at {}",
        expected.len(),
        bytes.len(),
        at.unwrap_or(bytes.len().min(expected.len()))
    )))
}

async fn whole<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-whole", SAMPLE).await?;
    let (object, bytes) = fetch::whole(&mut bench.reader().await?, &sample.object.key).await?;
    same(&bytes, &sample.bytes, "the whole object")?;
    ensure!(
        object.size.is_none_or(|size| size == bytes.len() as u64),
        "expected the reading to announce {} bytes, got {:?}",
        bytes.len(),
        object.size
    );
    passed()
}

async fn empty_object<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("read-empty-object", "empty");
    put(&mut bench.sink().await?, &file(&key, 0), Body::whole(b""), Replace::Always).await?;
    same(&bench.held(&key).await?, b"", "the empty object")?;
    passed()
}

async fn in_pieces<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-in-pieces", 5_000).await?;
    let key = &sample.object.key;
    let mut reader = bench.reader().await?;
    // A byte at a time only where that ends soon.
    let steps: &[usize] = if sample.bytes.len() <= 10_000 { &[1, 7, 4_096] } else { &[4_097, MAX_CHUNK_BYTES] };
    for step in steps {
        let (_, bytes) = fetch::read(&mut reader, key, EVERYTHING, None, *step).await?;
        same(&bytes, &sample.bytes, &format!("in pieces of at most {step} bytes"))?;
    }
    passed()
}

async fn ranges<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-ranges", SAMPLE).await?;
    let (key, all) = (&sample.object.key, sample.bytes.as_slice());
    let length = all.len();
    let mut reader = bench.reader().await?;
    let wanted = [
        (0, Some(1)),
        (length - 1, Some(1)),
        (length - 1, None),
        (length / 3, Some(length / 3)),
        (length / 2, None),
        (0, Some(length)),
        (0, None),
        (MAX_CHUNK_BYTES - 1, Some(2)),
        (MAX_CHUNK_BYTES, Some(MAX_CHUNK_BYTES)),
    ];
    for (offset, count) in wanted {
        let end = count.map_or(length, |count| offset + count);
        // A small object that was found has less of them.
        if end > length || count == Some(0) {
            continue;
        }
        let range = Range { offset: offset as u64, length: count.map(|count| count as u64) };
        let (object, bytes) = fetch::read(&mut reader, key, range, None, MAX_CHUNK_BYTES).await?;
        let what = format!("{count:?} bytes from {offset}");
        same(&bytes, &all[offset..end], &what)?;
        ensure!(
            object.size.is_none_or(|size| size == length as u64),
            "{what}: expected the whole object's size of {length}, got {:?}",
            object.size
        );
    }
    passed()
}

async fn past_the_end<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-past-the-end", 1_000).await?;
    let length = sample.bytes.len() as u64;
    let mut reader = bench.reader().await?;
    let mut refused = None;
    for (offset, count) in [(length, None), (length, Some(10)), (length + 1_000, None), (length + 1_000, Some(10))] {
        let range = Range { offset, length: count };
        match fetch::read(&mut reader, &sample.object.key, range, None, MAX_CHUNK_BYTES).await {
            Ok((_, bytes)) => {
                ensure!(bytes.is_empty(), "expected no bytes from {offset} of {length}, got {}", bytes.len())
            }
            Err(error) if error.instance_lost => return Err(error.into()),
            Err(error) => refused = Some(error.code),
        }
    }
    // The instance is still good for something.
    same(&fetch::whole(&mut reader, &sample.object.key).await?.1, &sample.bytes, "the whole object afterwards")?;
    Ok(refused.map_or_else(String::new, |code| format!("refused with {code}")))
}

async fn empty_range<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-empty-range", 1_000).await?;
    let mut reader = bench.reader().await?;
    let range = Range { offset: 0, length: Some(0) };
    let said = match fetch::read(&mut reader, &sample.object.key, range, None, MAX_CHUNK_BYTES).await {
        Ok(_) => String::new(),
        Err(error) if error.instance_lost => return Err(error.into()),
        Err(error) => format!("refused with {}", error.code),
    };
    same(&fetch::whole(&mut reader, &sample.object.key).await?.1, &sample.bytes, "the whole object afterwards")?;
    Ok(said)
}

/// The version that a listing or a lookup tells.
fn told(object: &Object) -> Result<&str, Fault> {
    object.version.as_deref().ok_or_else(|| Fault::NotApplicable("the store tells no versions".to_owned()))
}

async fn version<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-version", 1_000).await?;
    let version = told(&sample.object)?;
    let mut reader = bench.reader().await?;
    let read = fetch::read(&mut reader, &sample.object.key, EVERYTHING, Some(version), MAX_CHUNK_BYTES).await?;
    same(&read.1, &sample.bytes, "with its version")?;
    passed()
}

async fn stale<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if !bench.writes_what_it_reads() {
        return Err(Fault::NotApplicable("the source has other objects than those that the suite writes".to_owned()));
    }
    let mut before = bench.sample("read-stale-version", "file", 1_000).await?;
    let mut version = String::new();
    // Some in a row, since a tag that's made of a time may differ once by chance.
    for more in 0..REPLACED {
        told(&before.object)?.clone_into(&mut version);
        // A weak one may not tell apart what has one size and was written at one time.
        let size = if version.starts_with("W/") { 1_001 + more } else { 1_000 };
        before = bench.sample("read-stale-version", "file", size).await?;
        ensure!(
            before.object.version.as_deref() != Some(version.as_str()),
            "expected another version of other bytes, got {version:?} again"
        );
    }
    let mut reader = bench.reader().await?;
    for range in [EVERYTHING, Range { offset: 10, length: Some(10) }] {
        match fetch::read(&mut reader, &before.object.key, range, Some(&version), MAX_CHUNK_BYTES).await {
            Err(error) if error.code == Code::CHANGED => {}
            Err(error) => return Err(Fault::Failed(format!("expected changed, got: {error}"))),
            Ok((_, bytes)) => return Err(Fault::Failed(format!("expected changed, got {} bytes", bytes.len()))),
        }
        if !bench.reader_capabilities().is_some_and(|it| it.has("range-read")) {
            break;
        }
    }
    passed()
}

async fn missing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut reader = bench.reader().await?;
    for key in [format!("{}-missing", bench.root), format!("{}/read-missing/in/a/folder", bench.root)] {
        match reader.read(&parsed(&key), EVERYTHING, None).await {
            Err(error) if error.code == Code::NOT_FOUND => {}
            Err(error) => return Err(Fault::Failed(format!("expected not-found, got: {error}"))),
            Ok(reading) => {
                // It may be found missing only when it's asked for bytes.
                match fetch::drain(reading.data, None, MAX_CHUNK_BYTES).await {
                    Err(error) if error.code == Code::NOT_FOUND => {}
                    other => return Err(Fault::Failed(format!("expected not-found, got {other:?}"))),
                }
            }
        }
    }
    passed()
}

async fn stat_missing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut reader = bench.reader().await?;
    for key in [format!("{}-missing", bench.root), format!("{}/stat-missing/in/a/folder", bench.root)] {
        match reader.stat(&parsed(&key)).await {
            Err(error) if error.code == Code::NOT_FOUND => {}
            Err(error) => return Err(Fault::Failed(format!("expected not-found, got: {error}"))),
            Ok(object) => return Err(Fault::Failed(format!("expected not-found, got {object:?}"))),
        }
    }
    passed()
}

async fn true_checksums<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-checksums", SAMPLE).await?;
    let key = &sample.object.key;
    let mut reader = bench.reader().await?;
    let ours = checksums(&sample.bytes);
    let seen = bench.seen(&mut reader).await?;
    let listed = seen.objects.get(key.as_str()).map(|object| object.checksums.clone()).unwrap_or_default();
    let looked_up = reader.stat(key).await?.checksums;
    let opened = fetch::whole(&mut reader, key).await?.0.checksums;
    let mut told = Vec::new();
    for (who, theirs) in [("the listing", listed), ("stat", looked_up), ("the reading", opened)] {
        agree(&theirs, &ours, who)?;
        told.extend(theirs.keys().map(|algorithm| format!("{} by {who}", algorithm.as_str())));
    }
    if told.is_empty() {
        return Err(Fault::NotApplicable("the store tells no checksum of this object".to_owned()));
    }
    Ok(told.join(", "))
}

/// Each that's told is the right one.
pub(super) fn agree(theirs: &Checksums, ours: &Checksums, who: &str) -> Result<(), Fault> {
    for (algorithm, value) in theirs {
        let name = algorithm.as_str();
        ensure!(
            ours.get(algorithm).is_none_or(|ours| ours == value),
            "expected the {name} of the object of {who}, got {value:02x?}"
        );
    }
    Ok(())
}

async fn in_a_row<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("read-beside-read", SAMPLE).await?;
    let mut reader = bench.reader().await?;
    for _ in 0..3 {
        let absent = parsed(&format!("{}/read-beside-read/nothing", bench.root));
        ensure!(reader.stat(&absent).await.is_err(), "expected not-found, got an object");
        let Reading { mut data, .. } = reader.read(&sample.object.key, EVERYTHING, None).await?;
        let first = data.read(1_000.min(sample.bytes.len()), Form::Bytes).await?;
        ensure!(first.is_some(), "expected bytes, got the end");
        let rest = fetch::drain(data, None, MAX_CHUNK_BYTES).await?;
        let begun = first.map_or(0, |chunk| chunk.len());
        same(&rest, &sample.bytes[begun..], "what was left of a reading")?;
    }
    passed()
}
