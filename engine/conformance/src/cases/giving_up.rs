//! Calls that are dropped half-way, as when a run is stopped or a peer dies: nothing partial shows, and
//! the next instance works. And no more bytes go anywhere than were asked for.

use std::time::Duration;

use culvert_flow::{
    error::Code,
    sink::{Part, Replace, Sink},
    source::{Data, Form, Listing, Source},
};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, by_hand, put, write_part},
        fetch::{self, EVERYTHING},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::{Owner, Subject},
};

/// How long a call that has got one chunk may go on before it's dropped: long enough to begin anything.
const A_WHILE: Duration = Duration::from_millis(50);
/// Bytes that are announced, far more than are given.
const ANNOUNCED: usize = 4 << 20;
/// How often it's looked whether what was dropped is gone.
const LOOKS: u32 = 50;

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Reader, Sink, Writes};
    vec![
        case!(
            "dropped-put",
            "a put whose instance is dropped leaves no object, and the next one works",
            [Sink],
            dropped_put
        ),
        case!(
            "dropped-put-keeps-the-old",
            "a put whose instance is dropped leaves the old object",
            [Both],
            keeps_the_old
        ),
        case!(
            "dropped-part",
            "a part whose instance is dropped can be written again by another",
            [Both, Writes("parts")],
            dropped_part
        ),
        case!(
            "dropped-reading",
            "after a reading that was dropped half-way, its instance goes on",
            [Reader],
            dropped_reading
        ),
        case!(
            "dropped-listing",
            "after a listing that was dropped half-way, its instance goes on",
            [Reader],
            dropped_listing
        ),
        case!(
            "one-chunk-at-a-time",
            "a sink waits for bytes that aren't there yet, and asks for no more",
            [Sink],
            waits_for_bytes
        ),
    ]
}

/// Gives a put one chunk of many, and ends its instance.
async fn drop_put<S: Subject>(bench: &Bench<'_, S>, key: &culvert_flow::object::Key) -> Result<(), Fault> {
    let mut sink = bench.sink().await?;
    let object = file(key, ANNOUNCED);
    let (mut feeding, body) = by_hand();
    let chunk = bench.bytes(100_000);
    {
        let putting = sink.put(&object, body, Replace::Always);
        let given = async {
            feeding.give(&chunk).await?;
            tokio::time::sleep(A_WHILE).await;
            Ok::<_, culvert_flow::error::Error>(())
        };
        tokio::select! {
            biased;
            given = given => given?,
            early = putting => {
                let said = early.map(|_| "success".to_owned()).unwrap_or_else(|error| error.to_string());
                return Err(Fault::Failed(format!("expected put to wait for the rest of its body, got: {said}")));
            }
        }
    }
    drop((sink, feeding));
    Ok(())
}

/// Sweeps until nothing is found twice: what a dropped instance left, if anything, goes.
async fn sweep<S: Subject>(bench: &Bench<'_, S>) -> Result<(), Fault> {
    let mut sink = bench.sink().await?;
    for _ in 0..LOOKS {
        if sink.sweep(&[]).await? == 0 {
            return Ok(());
        }
    }
    Err(Fault::Failed("expected a sweep to find nothing after some sweeps, it still does".to_owned()))
}

async fn dropped_put<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("dropped-put", "file");
    drop_put(bench, &key).await?;
    bench.is_absent(&key, "after a put that was dropped").await?;
    sweep(bench).await?;
    let bytes = bench.bytes(1_000);
    let mut next = bench.sink().await?;
    put(&mut next, &file(&key, bytes.len()), Body::whole(&bytes), Replace::Never).await?;
    let size = next.stat(&key).await?.size;
    ensure!(size.is_none_or(|size| size == 1_000), "expected the next put's 1000 bytes, got {size:?}");
    passed()
}

async fn keeps_the_old<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("dropped-put-keeps-the-old", "file");
    let old = bench.bytes(1_000);
    put(&mut bench.sink().await?, &file(&key, old.len()), Body::whole(&old), Replace::Always).await?;
    drop_put(bench, &key).await?;
    let held = bench.held(&key).await?;
    ensure!(held == old, "expected the old object's {} bytes, got {} or others", old.len(), held.len());
    sweep(bench).await?;
    passed()
}

async fn dropped_part<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("dropped-part", "file");
    let bytes = bench.bytes(300_000);
    let object = file(&key, bytes.len());
    let mut sink = bench.sink().await?;
    let token = bench.begin(&mut sink, &object, Owner::Ours).await?;
    let part = Part { number: 1, offset: 0, length: bytes.len() as u64 };
    let (mut feeding, body) = by_hand();
    {
        let writing = sink.write_part(&token, part, body.chunks);
        let given = async {
            feeding.give(&bytes[..100_000]).await?;
            tokio::time::sleep(A_WHILE).await;
            Ok::<_, culvert_flow::error::Error>(())
        };
        tokio::select! {
            biased;
            given = given => given?,
            early = writing => {
                return Err(Fault::Failed(format!("expected the part to wait for its bytes, got: {early:?}")));
            }
        }
    }
    drop((sink, feeding));
    let mut next = bench.sink().await?;
    let receipt = write_part(&mut next, &token, part, &bytes).await?;
    next.commit(&token, &object, &[receipt], Replace::Always).await?;
    bench.settled(&token);
    let held = bench.held(&key).await?;
    ensure!(held == bytes, "expected the {} bytes of the second attempt, got {} or others", bytes.len(), held.len());
    passed()
}

async fn dropped_reading<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("dropped-reading", ANNOUNCED).await?;
    let key = &sample.object.key;
    let mut reader = bench.reader().await?;
    for _ in 0..3 {
        let mut reading = reader.read(key, EVERYTHING, None).await?;
        reading.data.read(1_000, Form::Bytes).await?;
        drop(reading);
    }
    let (_, bytes) = fetch::whole(&mut reader, key).await?;
    ensure!(bytes == sample.bytes, "expected the object's {} bytes, got {} or others", sample.bytes.len(), bytes.len());
    passed()
}

async fn dropped_listing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let sample = bench.something("dropped-listing", 10).await?;
    if bench.writes_what_it_reads() {
        // So that there is more to come.
        for name in ["more", "and-more"] {
            bench.sample("dropped-listing", name, 10).await?;
        }
    }
    let mut reader = bench.reader().await?;
    for _ in 0..3 {
        let mut listing = reader.list(None, None).await?;
        listing.next().await?;
        drop(listing);
    }
    reader.stat(&sample.object.key).await?;
    let seen = bench.seen(&mut reader).await?;
    ensure!(seen.objects.contains_key(sample.object.key.as_str()), "expected the object in a listing, got none");
    passed()
}

async fn waits_for_bytes<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("one-chunk-at-a-time", "file");
    let bytes = bench.bytes(1_000_000);
    let object = file(&key, bytes.len());
    let mut sink = bench.sink().await?;
    let (mut feeding, body) = by_hand();
    let mut putting = std::pin::pin!(sink.put(&object, body, Replace::Always));
    for chunk in bytes.chunks(100_000) {
        tokio::select! {
            biased;
            given = feeding.give(chunk) => given?,
            early = &mut putting => {
                return Err(Fault::Failed(format!("expected put to wait for the rest of its body, got: {early:?}")));
            }
        }
    }
    feeding.finish(crate::bench::carry::checksums(&bytes));
    let stored = putting.await?;
    ensure!(stored.size.is_none_or(|size| size == 1_000_000), "expected 1000000 bytes, got {:?}", stored.size);
    let told = bench.sink().await?.stat(&key).await;
    ensure!(!told.as_ref().is_err_and(|error| error.code == Code::NOT_FOUND), "expected the object, got not-found");
    passed()
}
