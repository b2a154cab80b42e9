//! Small objects by the batch: the same as one by one, or refused.

use culvert_flow::{
    error::{Code, Error},
    object::Object,
    sink::{Packed, Replace, Sink, Stored},
    source::{Source, Wanted},
};

use super::{case, replacing::already_exists};
use crate::{
    bench::{
        Bench, Sample,
        carry::{Body, batch, checksums, put, wrong},
        fetch, file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

/// Objects of a batch; the engine's largest has 64.
const COUNT: usize = 20;

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Reads, Writes};
    vec![
        case!("batch-read", "the bytes of all come one behind the other", [Both, Reads("read-batch")], read),
        case!(
            "batch-read-changed",
            "a batch with an object that was replaced isn't taken for whole",
            [Both, Reads("read-batch")],
            read_changed
        ),
        case!(
            "batch-read-missing",
            "a batch with an object that's gone isn't taken for whole",
            [Both, Reads("read-batch")],
            read_missing
        ),
        case!("batch-put", "each object of a batch is stored, in its own result", [Both, Writes("put-batch")], store),
        case!(
            "batch-put-never",
            "with replace = never, only what is there already fails",
            [Both, Writes("put-batch")],
            never
        ),
        case!(
            "batch-put-wrong-checksum",
            "only the object with another checksum fails",
            [Both, Writes("put-batch")],
            wrong_checksum
        ),
    ]
}

/// Files of 0 bytes and more.
async fn samples<S: Subject>(bench: &Bench<'_, S>, case: &str) -> Result<Vec<Sample>, Fault> {
    let mut samples = Vec::new();
    for number in 0..COUNT {
        samples.push(bench.sample(case, &format!("file-{number:02}"), number * 509).await?);
    }
    Ok(samples)
}

/// What a batch of these has.
async fn fetched<S: Subject>(bench: &Bench<'_, S>, samples: &[Sample]) -> Result<Result<Vec<u8>, Code>, Fault> {
    let version = |object: &Object| object.version.as_deref().unwrap_or_default().to_owned();
    let versions: Vec<_> = samples.iter().map(|sample| version(&sample.object)).collect();
    let wanted: Vec<_> = samples
        .iter()
        .zip(&versions)
        .map(|(sample, version)| Wanted { key: &sample.object.key, size: sample.bytes.len() as u64, version })
        .collect();
    let total = samples.iter().map(|sample| sample.bytes.len() as u64).sum();
    let mut reader = bench.reader().await?;
    let drained = match reader.read_batch(&wanted).await {
        Ok(data) => fetch::drain(data, Some(total), culvert_flow::body::MAX_CHUNK_BYTES).await,
        Err(error) => Err(error),
    };
    match drained {
        Err(error) if error.instance_lost => Err(error.into()),
        Err(error) => Ok(Err(error.code)),
        Ok(bytes) => Ok(Ok(bytes)),
    }
}

async fn read<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let samples = samples(bench, "batch-read").await?;
    let expected: Vec<u8> = samples.iter().flat_map(|sample| sample.bytes.clone()).collect();
    let got = fetched(bench, &samples).await?;
    ensure!(
        got.as_ref() == Ok(&expected),
        "expected the {} bytes of {COUNT} objects, got {:?}",
        expected.len(),
        got.as_ref().map(Vec::len)
    );
    passed()
}

async fn read_changed<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let samples = samples(bench, "batch-read-changed").await?;
    bench.sample("batch-read-changed", "file-07", samples[7].bytes.len()).await?;
    let got = fetched(bench, &samples).await?;
    ensure!(got.is_err(), "expected an error, changed for instance, got {:?} bytes", got.map(|bytes| bytes.len()));
    passed()
}

async fn read_missing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let samples = samples(bench, "batch-read-missing").await?;
    bench.sink().await?.delete(&samples[7].object.key).await?;
    let got = fetched(bench, &samples).await?;
    ensure!(got.is_err(), "expected an error, not-found for instance, got {:?} bytes", got.map(|bytes| bytes.len()));
    passed()
}

/// Puts [`COUNT`] objects in a batch; that at `liar` with another one's checksums. Each with its code.
async fn put_all<S: Subject>(
    bench: &Bench<'_, S>,
    case: &str,
    liar: Option<usize>,
    replace: Replace,
) -> Result<(Vec<(Object, Vec<u8>)>, Vec<Result<Stored, Error>>), Fault> {
    let objects: Vec<_> = (0..COUNT)
        .map(|number| {
            let length = number * 509;
            (file(&bench.key(case, &format!("file-{number:02}")), length), bench.bytes(length))
        })
        .collect();
    let sums: Vec<_> = objects
        .iter()
        .enumerate()
        .map(|(index, (_, bytes))| if liar == Some(index) { wrong(bytes) } else { checksums(bytes) })
        .collect();
    let pairs = objects.iter().zip(&sums);
    let packed: Vec<_> =
        pairs.map(|((object, bytes), checksums)| Packed { object, size: bytes.len() as u64, checksums }).collect();
    let all: Vec<u8> = objects.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let mut sink = bench.sink().await?;
    let (results, complete) = batch(&all, async |chunks| sink.put_batch(&packed, chunks, replace).await).await;
    let results = results?;
    ensure!(complete, "expected all {} bytes to be taken, got an answer before", all.len());
    ensure!(results.len() == COUNT, "expected {COUNT} results, got {}", results.len());
    Ok((objects, results))
}

/// All but one are stored and right.
async fn are_held<S: Subject>(
    bench: &Bench<'_, S>,
    objects: &[(Object, Vec<u8>)],
    results: &[Result<Stored, Error>],
    but: Option<usize>,
) -> Result<(), Fault> {
    for (index, ((object, bytes), result)) in objects.iter().zip(results).enumerate() {
        if but == Some(index) {
            continue;
        }
        ensure!(
            result.as_ref().is_ok_and(|stored| stored.size == bytes.len() as u64),
            "expected {:?} to be stored with {} bytes, got {result:?}",
            object.key,
            bytes.len()
        );
        let held = bench.held(&object.key).await?;
        ensure!(held == *bytes, "expected the bytes of {:?}, got {} or others", object.key, held.len());
    }
    Ok(())
}

async fn store<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let (objects, results) = put_all(bench, "batch-put", None, Replace::Always).await?;
    are_held(bench, &objects, &results, None).await?;
    // And once more, over what is there.
    let (objects, results) = put_all(bench, "batch-put", None, Replace::Always).await?;
    are_held(bench, &objects, &results, None).await?;
    bench.is_clean("after a batch").await?;
    passed()
}

async fn never<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let case = "batch-put-never";
    let old = bench.key(case, "file-07");
    put(&mut bench.sink().await?, &file(&old, 3), Body::whole(b"old"), Replace::Always).await?;
    let (objects, mut results) = put_all(bench, case, None, Replace::Never).await?;
    are_held(bench, &objects, &results, Some(7)).await?;
    already_exists(results.remove(7).map(drop))?;
    let held = bench.held(&old).await?;
    ensure!(held == b"old", "expected the old object's 3 bytes, got {} or others", held.len());
    passed()
}

async fn wrong_checksum<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let (objects, results) = put_all(bench, "batch-put-wrong-checksum", Some(7), Replace::Always).await?;
    are_held(bench, &objects, &results, Some(7)).await?;
    match &results[7] {
        Err(error) if error.code == Code::CHECKSUM_MISMATCH => {
            bench.is_absent(&objects[7].0.key, "after a checksum-mismatch").await?;
            passed()
        }
        Err(error) => Err(Fault::Failed(format!("expected checksum-mismatch, got: {error}"))),
        Ok(stored) if stored.checksums.is_empty() => {
            let why = "the sink neither compares nor returns a checksum of a batch's objects";
            Err(Fault::NotApplicable(why.to_owned()))
        }
        Ok(stored) => {
            let claimed = wrong(&objects[7].1);
            let differs = stored.checksums.iter().any(|(algorithm, value)| claimed.get(algorithm) != Some(value));
            ensure!(differs, "expected checksum-mismatch, or the stored bytes' own checksums, got the engine's back");
            Ok("the engine sees it by the checksums that the sink returns".to_owned())
        }
    }
}
