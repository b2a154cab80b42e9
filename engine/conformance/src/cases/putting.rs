//! Puts: of any size, atomic, with true checksums; and nothing left of those that failed.

use culvert_flow::{
    body::MAX_CHUNK_BYTES,
    error::Code,
    object::{Checksums, Object},
    sink::{Replace, Sink},
};

use super::{case, reading::agree};
use crate::{
    bench::{
        Bench,
        carry::{self, Body, End, by_hand, checksums, put},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

/// Large enough for many chunks and for every buffer on the way.
const LARGE: usize = (12 << 20) + 7;
/// How often another instance looks while a body isn't whole.
const LOOKS: usize = 3;

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Sink};
    vec![
        case!("put-empty", "an object without bytes is stored", [Sink], empty),
        case!("put-one-byte", "an object of one byte is stored", [Sink], one_byte),
        case!(
            "put-around-a-chunk",
            "objects of 256 KiB, a byte less and a byte more are stored",
            [Sink],
            around_a_chunk
        ),
        case!("put-large", "an object of 12 MiB and 7 bytes is stored", [Sink], large),
        case!("put-in-slow-pieces", "chunks of any size make the same object, and all are taken", [Sink], in_pieces),
        case!(
            "put-without-size",
            "an object of unknown size is stored whole, or refused as unsupported",
            [Sink],
            without_size
        ),
        case!(
            "put-waits-for-whole",
            "nothing is visible, and the call goes on, before the body is known to be whole",
            [Sink],
            waits
        ),
        case!("put-broken", "a body that broke off leaves nothing behind", [Sink], broken),
        case!("put-abandoned", "a body that ends without a word leaves nothing behind", [Sink], abandoned),
        case!(
            "put-broken-keeps-the-old",
            "a body that broke off leaves the old object as it was",
            [Both],
            keeps_the_old
        ),
        case!(
            "put-wrong-checksum",
            "bytes with another checksum than the engine's aren't taken for whole",
            [Sink],
            wrong_checksum
        ),
        case!("put-checksums", "checksums that the sink returns are those of the bytes", [Sink], true_checksums),
        case!("put-answer", "what put returns is what stat says", [Sink], answer),
    ]
}

/// Puts some bytes, and looks at them in every way there is.
async fn stored<S: Subject>(bench: &Bench<'_, S>, case: &str, lengths: &[usize], steps: &[usize]) -> Outcome {
    let mut sink = bench.sink().await?;
    for length in lengths {
        let key = bench.key(case, &format!("of-{length}"));
        let bytes = bench.bytes(*length);
        let body = Body { bytes: &bytes, steps, end: End::Whole };
        let stored = put(&mut sink, &file(&key, *length), body, Replace::Always).await?;
        is_right(&stored, &bytes, "put")?;
        is_right(&sink.stat(&key).await?, &bytes, "stat")?;
        if bench.proof().is_some() {
            let held = bench.held(&key).await?;
            ensure!(held == bytes, "expected the {length} bytes that were put, got {} or others", held.len());
        }
    }
    Ok(if bench.proof().is_some() { String::new() } else { "by size: nothing reads this sink".to_owned() })
}

fn is_right(object: &Object, bytes: &[u8], who: &str) -> Result<(), Fault> {
    let (length, size) = (bytes.len(), object.size);
    ensure!(size.is_none_or(|size| size == length as u64), "expected {length} bytes of {who}, got {size:?}");
    agree(&object.checksums, &checksums(bytes), who)
}

async fn empty<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    stored(bench, "put-empty", &[0], &[MAX_CHUNK_BYTES]).await
}

async fn one_byte<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    stored(bench, "put-one-byte", &[1], &[MAX_CHUNK_BYTES]).await
}

async fn around_a_chunk<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let lengths = [MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1];
    stored(bench, "put-around-a-chunk", &lengths, &[MAX_CHUNK_BYTES]).await
}

async fn large<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    stored(bench, "put-large", &[LARGE], &[MAX_CHUNK_BYTES]).await
}

async fn in_pieces<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    stored(bench, "put-in-slow-pieces", &[100_003], &[1, 4_096, 3, 8_191]).await
}

async fn without_size<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("put-without-size", "file");
    let bytes = bench.bytes(70_000);
    let object = Object { size: None, ..file(&key, 0) };
    match put(&mut bench.sink().await?, &object, Body::whole(&bytes), Replace::Always).await {
        Ok(stored) => is_right(&stored, &bytes, "put")?,
        Err(error) if error.code == Code::UNSUPPORTED => {
            bench.is_absent(&key, "after a put that was refused").await?;
            return Ok("refused as unsupported".to_owned());
        }
        Err(error) => return Err(Fault::Failed(format!("expected success or unsupported, got: {error}"))),
    }
    if bench.proof().is_some() {
        let held = bench.held(&key).await?;
        ensure!(held == bytes, "expected the {} bytes that were put, got {} or others", bytes.len(), held.len());
    }
    passed()
}

async fn waits<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("put-waits-for-whole", "file");
    let bytes = bench.bytes(100_000);
    let object = file(&key, bytes.len());
    let mut sink = bench.sink().await?;
    let (mut feeding, body) = by_hand();
    let put = sink.put(&object, body, Replace::Always);
    let looking = async {
        feeding.give(&bytes).await?;
        for _ in 0..LOOKS {
            bench.is_absent(&key, "all bytes were given, but not the word that they are whole").await?;
        }
        Ok::<_, Fault>(feeding)
    };
    let mut put = std::pin::pin!(put);
    let feeding = tokio::select! {
        biased;
        looked = looking => looked?,
        early = &mut put => {
            let said = early.map(|_| "success".to_owned()).unwrap_or_else(|error| error.to_string());
            return Err(Fault::Failed(format!("expected put to wait for the word on its body, got before: {said}")));
        }
    };
    feeding.finish(checksums(&bytes));
    put.await?;
    let told = bench.sink().await?.stat(&key).await?;
    is_right(&told, &bytes, "stat")?;
    passed()
}

/// A put that must fail, and leave nothing.
async fn fails<S: Subject>(bench: &Bench<'_, S>, case: &str, end: End) -> Outcome {
    for length in [0, 100_000, 1 << 20] {
        let key = bench.key(case, &format!("of-{length}"));
        let bytes = bench.bytes(length);
        // Half of what was announced, as when a source dies.
        let body = Body::ending(&bytes[..length / 2], end);
        let mut sink = bench.sink().await?;
        let answer = put(&mut sink, &file(&key, length), body, Replace::Always).await;
        ensure!(answer.is_err(), "expected an error of a put whose body wasn't whole, got success");
        bench.is_absent(&key, &format!("after half of {length} bytes and a put that failed")).await?;
        // The same instance goes on, as the engine's does, unless it's lost.
        if !answer.is_err_and(|error| error.instance_lost) {
            put(&mut sink, &file(&key, length), Body::whole(&bytes), Replace::Always).await?;
            sink.delete(&key).await?;
        }
    }
    bench.is_clean("after puts that failed").await?;
    passed()
}

async fn broken<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    fails(bench, "put-broken", End::Broken).await
}

async fn abandoned<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    fails(bench, "put-abandoned", End::Dropped).await
}

async fn keeps_the_old<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("put-broken-keeps-the-old", "file");
    let (old, new) = (bench.bytes(50_000), bench.bytes(60_000));
    put(&mut bench.sink().await?, &file(&key, old.len()), Body::whole(&old), Replace::Always).await?;
    for end in [End::Broken, End::Dropped] {
        let body = Body::ending(&new[..30_000], end);
        let answer = put(&mut bench.sink().await?, &file(&key, new.len()), body, Replace::Always).await;
        ensure!(answer.is_err(), "expected an error of a put whose body wasn't whole, got success");
        let held = bench.held(&key).await?;
        ensure!(held == old, "expected the old object's {} bytes, got {} or others", old.len(), held.len());
    }
    bench.is_clean("after puts that failed").await?;
    passed()
}

async fn wrong_checksum<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("put-wrong-checksum", "file");
    let bytes = bench.bytes(100_000);
    let mut sink = bench.sink().await?;
    match put(&mut sink, &file(&key, bytes.len()), Body::ending(&bytes, End::Wrong), Replace::Always).await {
        Err(error) if error.code == Code::CHECKSUM_MISMATCH => {
            bench.is_absent(&key, "after a checksum-mismatch").await?;
            bench.is_clean("after a checksum-mismatch").await?;
            passed()
        }
        Err(error) => Err(Fault::Failed(format!("expected checksum-mismatch, got: {error}"))),
        Ok(stored) => {
            let claimed = carry::wrong(&bytes);
            if stored.checksums.is_empty() {
                return Err(Fault::NotApplicable(
                    "the sink neither compares nor returns a checksum of this object".to_owned(),
                ));
            }
            let differs = stored.checksums.iter().any(|(algorithm, value)| claimed.get(algorithm) != Some(value));
            ensure!(differs, "expected checksum-mismatch, or the stored bytes' own checksums, got the engine's back");
            Ok("the engine sees it by the checksums that the sink returns".to_owned())
        }
    }
}

async fn true_checksums<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("put-checksums", "file");
    let bytes = bench.bytes(300_000);
    let mut sink = bench.sink().await?;
    let stored = put(&mut sink, &file(&key, bytes.len()), Body::whole(&bytes), Replace::Always).await?;
    let ours = checksums(&bytes);
    agree(&stored.checksums, &ours, "put")?;
    let told = sink.stat(&key).await?;
    agree(&told.checksums, &ours, "stat")?;
    let names = |them: &Checksums| them.keys().map(|it| it.as_str()).collect::<Vec<_>>().join(", ");
    match (stored.checksums.is_empty(), told.checksums.is_empty()) {
        (true, true) => Err(Fault::NotApplicable("the sink returns no checksum of this object".to_owned())),
        (false, _) => Ok(names(&stored.checksums)),
        (true, false) => Ok(format!("{} by stat", names(&told.checksums))),
    }
}

async fn answer<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("put-answer", "file");
    let bytes = bench.bytes(1_234);
    let mut sink = bench.sink().await?;
    let stored = put(&mut sink, &file(&key, bytes.len()), Body::whole(&bytes), Replace::Always).await?;
    let told = sink.stat(&key).await?;
    ensure!(stored.kind == told.kind, "expected the kind {:?} of put, got {:?} of stat", stored.kind, told.kind);
    if let (Some(put), Some(stat)) = (stored.size, told.size) {
        ensure!(put == stat, "expected {put} bytes of stat, as put says, got {stat}");
    }
    if let (Some(put), Some(stat)) = (&stored.version, &told.version) {
        ensure!(put == stat, "expected the version {put:?} of stat, as put says, got {stat:?}");
    }
    passed()
}
