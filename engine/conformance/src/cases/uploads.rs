//! Uploads in parts: in any order, by any instance, whole or not at all.

use culvert_flow::{
    error::Code,
    object::{Key, Object},
    sink::{Part, Receipt, Replace, Sink},
};

use super::{
    case,
    reading::{agree, same},
    replacing::already_exists,
};
use crate::{
    bench::{
        Bench,
        carry::{Body, checksums, combinable, put, write_part, wrong},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::{Owner, Subject},
};

/// The least that S3 and OSS take for a part that isn't the last, in bytes.
const PART: usize = 5 << 20;
/// Two whole parts and a short one.
const LENGTH: usize = 2 * PART + 100_001;

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Writes, WritesWithout};
    vec![
        case!("upload-whole", "nothing is visible before commit, all of it after", [Both, Writes("parts")], whole),
        case!("upload-one-part", "one part of some bytes makes an object", [Both, Writes("parts")], one_part),
        case!(
            "upload-out-of-order",
            "parts that come from the last to the first make the same object",
            [Both, Writes("parts"), WritesWithout("ordered-parts")],
            out_of_order
        ),
        case!(
            "upload-part-again",
            "a part that's written again replaces the one before",
            [Both, Writes("parts")],
            part_again
        ),
        case!(
            "upload-resumed",
            "another instance goes on and commits, from the token alone",
            [Both, Writes("parts")],
            resumed
        ),
        case!(
            "upload-short-part",
            "a part with fewer bytes than announced fails with truncated",
            [Writes("parts")],
            short_part
        ),
        case!("upload-long-part", "a part with more bytes than announced isn't taken", [Writes("parts")], long_part),
        case!(
            "upload-wrong-checksum",
            "a commit with another checksum than the parts' fails",
            [Writes("parts")],
            wrong_checksum
        ),
        case!(
            "upload-checksums",
            "checksums that commit returns are those of the bytes",
            [Writes("parts")],
            true_checksums
        ),
        case!(
            "upload-never-replaces",
            "with replace = never, a commit over an object fails with already-exists",
            [Both, Writes("parts")],
            never
        ),
        case!("upload-replaces", "a commit replaces what is there", [Both, Writes("parts")], replaces),
        case!(
            "upload-aborted",
            "an aborted upload leaves nothing, and is aborted again with success",
            [Writes("parts")],
            aborted
        ),
        case!(
            "upload-parts-told",
            "the parts that the store holds are told with their receipts' tokens",
            [Writes("parts"), Writes("list-parts")],
            told
        ),
    ]
}

/// An object, its bytes and its parts.
struct Upload {
    object: Object,
    bytes: Vec<u8>,
    parts: Vec<Part>,
    token: String,
}

impl Upload {
    async fn begin<S: Subject>(
        bench: &Bench<'_, S>,
        sink: &mut S::Sink,
        key: Key,
        length: usize,
    ) -> Result<Self, Fault> {
        let bytes = bench.bytes(length);
        let object = Object { checksums: [].into(), ..file(&key, length) };
        let token = bench.begin(sink, &object, Owner::Ours).await?;
        let mut parts = Vec::new();
        for (number, chunk) in (1..).zip(bytes.chunks(PART)) {
            let offset = u64::from(number - 1) * PART as u64;
            parts.push(Part { number, offset, length: chunk.len() as u64 });
        }
        Ok(Self { object, bytes, parts, token })
    }

    fn bytes_of(&self, part: Part) -> &[u8] {
        let offset = usize::try_from(part.offset).unwrap_or(usize::MAX);
        let length = usize::try_from(part.length).unwrap_or(usize::MAX);
        &self.bytes[offset..offset + length]
    }

    async fn write<K: Sink>(&self, sink: &mut K, part: Part) -> Result<Receipt, Fault> {
        Ok(write_part(sink, &self.token, part, self.bytes_of(part)).await?)
    }

    async fn write_all<K: Sink>(&self, sink: &mut K) -> Result<Vec<Receipt>, Fault> {
        let mut receipts = Vec::new();
        for part in &self.parts {
            receipts.push(self.write(sink, *part).await?);
        }
        Ok(receipts)
    }

    /// With the checksums of all bytes, as the engine gives it.
    fn known(&self) -> Object {
        Object { checksums: combinable(&self.bytes), ..self.object.clone() }
    }

    /// The engine's commit, or an abort: where it succeeds, nothing is left to be cleaned up.
    async fn commit<S: Subject>(
        &self,
        bench: &Bench<'_, S>,
        sink: &mut S::Sink,
        receipts: &[Receipt],
    ) -> Result<Object, Fault> {
        let stored = sink.commit(&self.token, &self.known(), receipts, Replace::Always).await?;
        bench.settled(&self.token);
        Ok(stored)
    }

    async fn abort<S: Subject>(&self, bench: &Bench<'_, S>, sink: &mut S::Sink) -> Result<(), Fault> {
        sink.abort(&self.token).await?;
        bench.settled(&self.token);
        Ok(())
    }

    async fn is_held<S: Subject>(&self, bench: &Bench<'_, S>) -> Result<(), Fault> {
        let held = bench.held(&self.object.key).await?;
        same(&held, &self.bytes, "the object of the parts")
    }
}

async fn whole<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-whole", "file"), LENGTH).await?;
    let key = &upload.object.key;
    bench.is_absent(key, "an upload was begun").await?;
    let receipts = upload.write_all(&mut sink).await?;
    for (part, receipt) in upload.parts.iter().zip(&receipts) {
        ensure!(receipt.part == part.number, "expected a receipt for part {}, got {}", part.number, receipt.part);
    }
    bench.is_absent(key, "all parts were written, and nothing committed").await?;
    let stored = upload.commit(bench, &mut sink, &receipts).await?;
    ensure!(
        stored.size.is_none_or(|size| size == LENGTH as u64),
        "expected {LENGTH} bytes of commit, got {:?}",
        stored.size
    );
    upload.is_held(bench).await?;
    bench.is_clean("after a commit").await?;
    passed()
}

async fn one_part<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-one-part", "file"), 1_000).await?;
    let receipts = upload.write_all(&mut sink).await?;
    upload.commit(bench, &mut sink, &receipts).await?;
    upload.is_held(bench).await?;
    passed()
}

async fn out_of_order<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-out-of-order", "file"), LENGTH).await?;
    let mut receipts = Vec::new();
    for part in upload.parts.iter().rev() {
        receipts.insert(0, upload.write(&mut sink, *part).await?);
    }
    upload.commit(bench, &mut sink, &receipts).await?;
    upload.is_held(bench).await?;
    passed()
}

async fn part_again<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-part-again", "file"), LENGTH).await?;
    let mut receipts = Vec::new();
    for part in &upload.parts {
        let other = bench.bytes(upload.bytes_of(*part).len());
        write_part(&mut sink, &upload.token, *part, &other).await?;
        receipts.push(upload.write(&mut sink, *part).await?);
    }
    upload.commit(bench, &mut sink, &receipts).await?;
    upload.is_held(bench).await?;
    passed()
}

async fn resumed<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut first = bench.sink().await?;
    let key = bench.key("upload-resumed", "file");
    let upload = Upload::begin(bench, &mut first, key, LENGTH).await?;
    let mut receipts = vec![upload.write(&mut first, upload.parts[0]).await?];
    drop(first);
    for part in &upload.parts[1..] {
        // As after a crash: nothing but the token is known.
        receipts.push(upload.write(&mut bench.sink().await?, *part).await?);
    }
    upload.commit(bench, &mut bench.sink().await?, &receipts).await?;
    upload.is_held(bench).await?;
    passed()
}

async fn short_part<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-short-part", "file"), LENGTH).await?;
    let part = upload.parts[0];
    for given in [0, 1, PART / 2, PART - 1] {
        match write_part(&mut sink, &upload.token, part, &upload.bytes[..given]).await {
            Err(error) if error.code == Code::TRUNCATED => {}
            Err(error) => {
                return Err(Fault::Failed(format!("expected truncated with {given} of {PART} bytes, got: {error}")));
            }
            Ok(_) => {
                return Err(Fault::Failed(format!("expected truncated with {given} of {PART} bytes, got a receipt")));
            }
        }
    }
    // It can be written all the same.
    let receipts = upload.write_all(&mut sink).await?;
    upload.commit(bench, &mut sink, &receipts).await?;
    passed()
}

async fn long_part<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-long-part", "file"), LENGTH).await?;
    let part = Part { length: PART as u64 - 1, ..upload.parts[0] };
    let answer = write_part(&mut sink, &upload.token, part, &upload.bytes[..PART]).await;
    ensure!(answer.is_err(), "expected an error of a part with a byte too many, got a receipt");
    upload.abort(bench, &mut sink).await?;
    passed()
}

async fn wrong_checksum<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-wrong-checksum", "file"), LENGTH).await?;
    let receipts = upload.write_all(&mut sink).await?;
    let claimed = Object { checksums: wrong(&upload.bytes), ..upload.object.clone() };
    match sink.commit(&upload.token, &claimed, &receipts, Replace::Always).await {
        Err(error) if error.code == Code::CHECKSUM_MISMATCH => {
            bench.is_absent(&upload.object.key, "after a checksum-mismatch").await?;
            upload.abort(bench, &mut sink).await?;
            bench.is_clean("after a commit that failed, and an abort").await?;
            passed()
        }
        Err(error) => Err(Fault::Failed(format!("expected checksum-mismatch, got: {error}"))),
        Ok(stored) if stored.checksums.is_empty() => {
            Err(Fault::NotApplicable("the sink neither compares nor returns a checksum of an upload".to_owned()))
        }
        Ok(stored) => {
            let differs = stored.checksums.iter().any(|(which, value)| claimed.checksums.get(which) != Some(value));
            ensure!(differs, "expected checksum-mismatch, or the stored bytes' own checksums, got the engine's back");
            Ok("the engine sees it by the checksums that the sink returns".to_owned())
        }
    }
}

async fn true_checksums<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-checksums", "file"), LENGTH).await?;
    let receipts = upload.write_all(&mut sink).await?;
    let stored = upload.commit(bench, &mut sink, &receipts).await?;
    let ours = checksums(&upload.bytes);
    agree(&stored.checksums, &ours, "commit")?;
    agree(&sink.stat(&upload.object.key).await?.checksums, &ours, "stat")?;
    if stored.checksums.is_empty() {
        return Err(Fault::NotApplicable("the sink returns no checksum of an upload".to_owned()));
    }
    Ok(stored.checksums.keys().map(|it| it.as_str()).collect::<Vec<_>>().join(", "))
}

async fn never<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("upload-never-replaces", "file");
    let old = bench.bytes(1_000);
    put(&mut bench.sink().await?, &file(&key, old.len()), Body::whole(&old), Replace::Always).await?;
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, key.clone(), LENGTH).await?;
    let receipts = upload.write_all(&mut sink).await?;
    let answer = sink.commit(&upload.token, &upload.known(), &receipts, Replace::Never).await;
    already_exists(answer.map(drop))?;
    let held = bench.held(&key).await?;
    ensure!(held == old, "expected the old object's {} bytes, got {} or others", old.len(), held.len());
    upload.abort(bench, &mut sink).await?;
    bench.is_clean("after a commit that was refused, and an abort").await?;
    passed()
}

async fn replaces<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("upload-replaces", "file");
    let old = bench.bytes(1_000);
    put(&mut bench.sink().await?, &file(&key, old.len()), Body::whole(&old), Replace::Always).await?;
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, key.clone(), LENGTH).await?;
    let receipts = upload.write_all(&mut sink).await?;
    let held = bench.held(&key).await?;
    ensure!(held == old, "expected the old object's {} bytes before commit, got {}", old.len(), held.len());
    upload.commit(bench, &mut sink, &receipts).await?;
    upload.is_held(bench).await?;
    passed()
}

async fn aborted<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-aborted", "file"), LENGTH).await?;
    let receipts = upload.write_all(&mut sink).await?;
    upload.abort(bench, &mut sink).await?;
    // By another one too, which knows nothing of the first.
    bench.sink().await?.abort(&upload.token).await?;
    bench.is_absent(&upload.object.key, "after an abort").await?;
    let answer = sink.commit(&upload.token, &upload.known(), &receipts, Replace::Always).await;
    ensure!(answer.is_err(), "expected an error of the commit of an aborted upload, got success");
    bench.is_absent(&upload.object.key, "after the commit of an aborted upload").await?;
    bench.is_clean("after an abort").await?;
    passed()
}

async fn told<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    let upload = Upload::begin(bench, &mut sink, bench.key("upload-parts-told", "file"), LENGTH).await?;
    let mut receipts = Vec::new();
    for count in 0..=upload.parts.len() {
        if count > 0 {
            receipts.push(upload.write(&mut sink, upload.parts[count - 1]).await?);
        }
        let Some(held) = bench.sink().await?.held_parts(&upload.token).await? else {
            return Err(Fault::Failed(
                "expected a list of parts, got none: the connector exports no resuming".to_owned(),
            ));
        };
        let all_told = receipts.iter().all(|receipt| held.iter().any(|held| held.is(receipt)));
        ensure!(all_told && held.len() == count, "expected the {count} parts {receipts:?}, got {held:?}");
    }
    upload.abort(bench, &mut sink).await?;
    match bench.sink().await?.held_parts(&upload.token).await {
        Err(error) if error.code == Code::NOT_FOUND => passed(),
        other => Err(Fault::Failed(format!("expected not-found of an aborted upload, got {other:?}"))),
    }
}
