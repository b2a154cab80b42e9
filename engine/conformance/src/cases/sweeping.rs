//! What a killed run leaves: found by its owner's mark, and nobody else's.

use culvert_flow::sink::{Part, Replace, Sink};

use super::case;
use crate::{
    bench::{
        Bench,
        carry::{Body, put, write_part},
        file,
    },
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::{Owner, Subject},
};

/// One part that is the whole object, in bytes.
const LENGTH: usize = 1_000;

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    use Need::{Sink, Writes};
    vec![
        case!("sweep-nothing", "where nothing was left, a sweep removes nothing, and no object", [Sink], nothing),
        case!("sweep-removes-own", "a sweep removes what an instance of the same owner left", [Writes("parts")], own),
        case!("sweep-keeps", "a sweep leaves the uploads that it's told to keep", [Writes("parts")], keeps),
        case!("sweep-leaves-others", "a sweep leaves another owner's uploads", [Writes("parts")], others),
    ]
}

/// An upload of one part, as far as a killed run comes.
async fn left<S: Subject>(bench: &Bench<'_, S>, owner: Owner, case: &str, name: &str) -> Result<Left, Fault> {
    let mut sink = bench.subject.open_sink(owner).await?;
    let object = file(&bench.key(case, name), LENGTH);
    let token = bench.begin(&mut sink, &object, owner).await?;
    let bytes = bench.bytes(LENGTH);
    let part = Part { number: 1, offset: 0, length: LENGTH as u64 };
    let receipt = write_part(&mut sink, &token, part, &bytes).await?;
    Ok(Left { owner, object, token, receipt })
}

struct Left {
    owner: Owner,
    object: culvert_flow::object::Object,
    token: String,
    receipt: culvert_flow::sink::Receipt,
}

impl Left {
    /// Whether it can still be committed; it's gone afterwards, one way or the other.
    async fn commits<S: Subject>(&self, bench: &Bench<'_, S>) -> Result<bool, Fault> {
        let mut sink = bench.subject.open_sink(self.owner).await?;
        let receipts = [self.receipt.clone()];
        let committed = sink.commit(&self.token, &self.object, &receipts, Replace::Always).await;
        if committed.is_ok() {
            bench.settled(&self.token);
        }
        Ok(committed.is_ok())
    }
}

/// Two uploads of ours, of which one is kept.
async fn sweep<S: Subject>(bench: &Bench<'_, S>, case: &str, keep: &[usize]) -> Result<(u64, [Left; 2]), Fault> {
    bench.sink().await?.sweep(&[]).await?;
    let lefts = [left(bench, Owner::Ours, case, "a/one").await?, left(bench, Owner::Ours, case, "a/two").await?];
    let keep: Vec<_> = keep.iter().map(|index| lefts[*index].token.clone()).collect();
    let removed = bench.sink().await?.sweep(&keep).await?;
    Ok((removed, lefts))
}

fn marks_nothing() -> Fault {
    Fault::NotApplicable("the sink marks no uploads: a sweep finds none, the engine aborts those it knows".to_owned())
}

async fn nothing<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let key = bench.key("sweep-nothing", "file");
    let mut sink = bench.sink().await?;
    put(&mut sink, &file(&key, 3), Body::whole(b"abc"), Replace::Always).await?;
    bench.is_clean("after a put that succeeded").await?;
    sink.stat(&key).await?;
    passed()
}

async fn own<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let (removed, lefts) = sweep(bench, "sweep-removes-own", &[]).await?;
    if removed == 0 {
        // Then they must still be there: a sweep that removes and doesn't say so is none.
        for left in &lefts {
            ensure!(left.commits(bench).await?, "expected an upload that wasn't swept to be committed, got an error");
        }
        return Err(marks_nothing());
    }
    ensure!(removed == 2, "expected 2 uploads removed, got {removed}");
    for left in &lefts {
        ensure!(!left.commits(bench).await?, "expected a swept upload to be gone, but it was committed");
    }
    bench.is_clean("after a sweep").await?;
    passed()
}

async fn keeps<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let (removed, [one, two]) = sweep(bench, "sweep-keeps", &[0]).await?;
    ensure!(one.commits(bench).await?, "expected the upload that was to be kept, but it can't be committed");
    if removed == 0 {
        ensure!(two.commits(bench).await?, "expected an upload that wasn't swept to be committed, got an error");
        return Err(marks_nothing());
    }
    ensure!(removed == 1, "expected 1 upload removed, got {removed}");
    ensure!(!two.commits(bench).await?, "expected a swept upload to be gone, but it was committed");
    passed()
}

async fn others<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    bench.sink().await?.sweep(&[]).await?;
    let theirs = left(bench, Owner::Stranger, "sweep-leaves-others", "a/theirs").await?;
    let ours = left(bench, Owner::Ours, "sweep-leaves-others", "a/ours").await?;
    let removed = bench.sink().await?.sweep(&[]).await?;
    ensure!(theirs.commits(bench).await?, "expected another owner's upload to stay, but it can't be committed");
    if removed == 0 {
        ensure!(ours.commits(bench).await?, "expected an upload that wasn't swept to be committed, got an error");
        return Err(marks_nothing());
    }
    ensure!(removed == 1, "expected 1 upload removed, got {removed}");
    passed()
}
