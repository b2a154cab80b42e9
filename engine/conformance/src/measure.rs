//! What a connector costs: one large object and many small ones, put and read, by the calls that the engine
//! makes. Judges nothing, compares no bytes, and reads neither clock nor memory itself: [`Gauge`] does.

use std::time::Duration;

use bytes::Bytes;
use culvert_flow::{
    body::{Chunk, MAX_CHUNK_BYTES, body},
    error::Error,
    object::{Checksums, Key, Kind, Object},
    sink::{Replace, Sink},
    source::{Data, Form, Source},
};

use crate::{
    bench::{Bench, carry::checksums, fetch::EVERYTHING, file},
    case::Fault,
    subject::Subject,
};

/// Largest object that's one of many small ones, in bytes: as batches have them.
const MAX_SMALL_BYTES: u64 = 64 * 1024;
/// Its folder's.
const NAME: &str = "bench";

/// What is put, and then read.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Bytes of the large object.
    pub large: usize,
    /// How many small ones.
    pub objects: usize,
    /// Bytes of each.
    pub small: usize,
}

/// What a case took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    pub name: &'static str,
    pub bytes: u64,
    pub objects: u64,
    pub wall: Duration,
    /// Of the whole process.
    pub cpu: Duration,
    /// Most bytes of memory that were added meanwhile.
    pub memory: u64,
}

/// The process as it's measured.
pub trait Gauge {
    /// Begins to look for the most memory from here on.
    fn reset(&self);
    fn wall(&self) -> Duration;
    fn cpu(&self) -> Duration;
    /// Most bytes that were added since the last reset.
    fn memory(&self) -> u64;
}

/// Puts and reads everything once, and removes what it put. With a source alone, reads the largest object
/// that is there, and as many small ones as are.
///
/// # Errors
/// The store failed, or has nothing to read.
pub async fn measure<S: Subject>(
    subject: &S,
    sizes: Sizes,
    seed: u64,
    gauge: &impl Gauge,
) -> Result<Vec<Took>, String> {
    let bench = Bench::new(subject, seed);
    bench.look_around().await;
    let told = |fault: Fault| match fault {
        Fault::Failed(why) | Fault::NotApplicable(why) => why,
    };
    let measured = all(&bench, sizes, gauge).await.map_err(told);
    let cleaned = async {
        bench.clean().await?;
        bench.leave().await
    };
    let cleaned = cleaned.await.map_err(|error| format!("what was put can't be removed: {error}"));
    measured.and_then(|measured| cleaned.map(|()| measured))
}

async fn all<S: Subject>(bench: &Bench<'_, S>, sizes: Sizes, gauge: &impl Gauge) -> Result<Vec<Took>, Fault> {
    let mut took = Vec::new();
    let large = vec![bench.key(NAME, "large")];
    let small: Vec<Key> = (0..sizes.objects).map(|number| bench.key(NAME, &format!("small-{number:06}"))).collect();
    if bench.subject.sink().is_some() {
        for (name, keys, length) in [("put-large", &large, sizes.large), ("put-small", &small, sizes.small)] {
            let bytes = Bytes::from(bench.bytes(length));
            let sums = checksums(&bytes);
            let moved = (length * keys.len()) as u64;
            let putting = async {
                let mut sink = bench.sink().await?;
                for key in keys {
                    put(&mut sink, &file(key, length), &bytes, &sums).await?;
                }
                Ok::<_, Error>(moved)
            };
            took.push(timed(name, keys.len(), gauge, putting).await?);
        }
    }
    if bench.reader_kind().is_none() {
        return Ok(took);
    }
    let objects = if bench.writes_what_it_reads() { [large, small] } else { found(bench, sizes.objects).await? };
    for (name, keys) in ["read-large", "read-small"].into_iter().zip(&objects).filter(|(_, keys)| !keys.is_empty()) {
        let reading = async {
            let mut source = bench.reader().await?;
            let mut moved = 0;
            for key in keys {
                moved += read(&mut source, key).await?;
            }
            Ok::<_, Error>(moved)
        };
        took.push(timed(name, keys.len(), gauge, reading).await?);
    }
    Ok(took)
}

/// Of what is there: the largest file, and small ones.
async fn found<S: Subject>(bench: &Bench<'_, S>, count: usize) -> Result<[Vec<Key>; 2], Fault> {
    let seen = bench.seen(&mut bench.reader().await?).await?;
    let mut files: Vec<&Object> = seen.objects.values().filter(|object| object.kind == Kind::File).collect();
    files.sort_by_key(|object| object.size);
    let Some(largest) = files.last() else { return Err(Fault::NotApplicable("the store has no file to read".into())) };
    let is_small = |object: &&&Object| object.size.is_some_and(|size| (1..=MAX_SMALL_BYTES).contains(&size));
    let small = files.iter().filter(is_small).take(count).map(|object| object.key.clone()).collect();
    Ok([vec![largest.key.clone()], small])
}

async fn timed(
    name: &'static str,
    objects: usize,
    gauge: &impl Gauge,
    work: impl Future<Output = Result<u64, Error>>,
) -> Result<Took, Fault> {
    gauge.reset();
    let (wall, cpu) = (gauge.wall(), gauge.cpu());
    let bytes = work.await?;
    let (wall, cpu) = (gauge.wall() - wall, gauge.cpu() - cpu);
    Ok(Took { name, bytes, objects: objects as u64, wall, cpu, memory: gauge.memory() })
}

/// Chunk by chunk; the checksums are known already, so that only the sink's work counts.
async fn put<K: Sink>(sink: &mut K, object: &Object, bytes: &Bytes, sums: &Checksums) -> Result<(), Error> {
    let (mut writer, reader) = body();
    let feeding = async move {
        for start in (0..bytes.len()).step_by(MAX_CHUNK_BYTES) {
            let chunk = bytes.slice(start..bytes.len().min(start + MAX_CHUNK_BYTES));
            if writer.write(Chunk::Bytes(chunk)).await.is_err() {
                // The sink's own result says why.
                return;
            }
        }
        writer.finish(Ok(sums.clone()));
    };
    let (stored, ()) = tokio::join!(sink.put(object, reader, Replace::Always), feeding);
    stored.map(drop)
}

async fn read<R: Source>(source: &mut R, key: &Key) -> Result<u64, Error> {
    let mut data = source.read(key, EVERYTHING, None).await?.data;
    let mut bytes = 0;
    while let Some(chunk) = data.read(MAX_CHUNK_BYTES, Form::Bytes).await? {
        bytes += chunk.len() as u64;
    }
    Ok(bytes)
}
