//! What is there already: replaced whole, kept where it must be, deleted.

use culvert_flow::{
    error::{Code, Error},
    sink::{Replace, Sink},
};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, put},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Both, Sink};
    vec![
        case!("replace-always", "a shorter object and a longer one replace what is there, all of it", [Both], always),
        case!(
            "replace-never",
            "with replace = never, what is there stays and the put fails with already-exists",
            [Both],
            never
        ),
        case!(
            "replace-never-where-nothing-is",
            "with replace = never, an object is put where nothing is",
            [Sink],
            fresh
        ),
        case!("delete", "a deleted object is gone, and can be put again", [Sink], delete),
        case!("delete-missing", "deleting what isn't there succeeds", [Sink], delete_missing),
        case!("delete-beside", "deleting an object leaves those beside it", [Sink], delete_beside),
    ]
}

async fn always<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("replace-always", "file");
    let mut sink = bench.sink().await?;
    for length in [100_000, 10, 0, 300_000] {
        let bytes = bench.bytes(length);
        put(&mut sink, &file(&key, length), Body::whole(&bytes), Replace::Always).await?;
        let held = bench.held(&key).await?;
        ensure!(held == bytes, "expected the {length} bytes of the last put, got {} or others", held.len());
    }
    passed()
}

async fn never<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("replace-never", "file");
    let (old, new) = (bench.bytes(10_000), bench.bytes(20_000));
    put(&mut bench.sink().await?, &file(&key, old.len()), Body::whole(&old), Replace::Always).await?;
    let answer = put(&mut bench.sink().await?, &file(&key, new.len()), Body::whole(&new), Replace::Never).await;
    already_exists(answer.map(drop))?;
    let held = bench.held(&key).await?;
    ensure!(held == old, "expected the old object's {} bytes, got {} or others", old.len(), held.len());
    bench.is_clean("after a put that was refused").await?;
    passed()
}

pub(super) fn already_exists(answer: Result<(), Error>) -> Result<(), Fault> {
    match answer {
        Err(error) if error.code == Code::ALREADY_EXISTS => Ok(()),
        Err(error) => Err(Fault::Failed(format!("expected already-exists, got: {error}"))),
        Ok(()) => Err(Fault::Failed("expected already-exists, got success".to_owned())),
    }
}

async fn fresh<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("replace-never-where-nothing-is", "in/a/folder/file");
    let bytes = bench.bytes(1_000);
    let mut sink = bench.sink().await?;
    put(&mut sink, &file(&key, bytes.len()), Body::whole(&bytes), Replace::Never).await?;
    let size = sink.stat(&key).await?.size;
    ensure!(size.is_none_or(|size| size == 1_000), "expected 1000 bytes of stat, got {size:?}");
    passed()
}

async fn delete<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("delete", "file");
    for _ in 0..2 {
        let mut sink = bench.sink().await?;
        put(&mut sink, &file(&key, 3), Body::whole(b"abc"), Replace::Never).await?;
        sink.delete(&key).await?;
        bench.is_absent(&key, "after delete").await?;
    }
    if bench.writes_what_it_reads() {
        let seen = bench.seen(&mut bench.reader().await?).await?;
        ensure!(!seen.objects.contains_key(key.as_str()), "expected a listing without the deleted object, got it");
    }
    passed()
}

async fn delete_missing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let mut sink = bench.sink().await?;
    sink.delete(&bench.key("delete-missing", "file")).await?;
    sink.delete(&bench.key("delete-missing", "in/a/folder/that/is/missing")).await?;
    passed()
}

async fn delete_beside<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let case = "delete-beside";
    let mut sink = bench.sink().await?;
    let kept = ["file-", "file.more", "file2", "other"].map(|name| bench.key(case, name));
    let gone = bench.key(case, "file");
    for key in kept.iter().chain([&gone]) {
        put(&mut sink, &file(key, 1), Body::whole(b"x"), Replace::Always).await?;
    }
    sink.delete(&gone).await?;
    for key in &kept {
        let told = sink.stat(key).await;
        ensure!(told.is_ok(), "expected {key:?} to be there still, got {told:?}");
    }
    passed()
}
