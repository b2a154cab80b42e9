//! A sink held against the journal, by what it tells and by what it holds.

use std::num::NonZeroUsize;

use super::{journaled::Journaled, *};
use crate::{
    memory::{SinkFault, SourceFault, error, key, trap},
    object::Algorithm,
    verify::{Checked, Findings, Verification, verify_both, verify_sink},
};

const READABLE: [&str; 6] = ["parts", "directories", "symlinks", "modified", "checksum:crc64-nvme", "read-back"];

/// Ten files, a folder and a link that were moved.
async fn moved() -> Journaled {
    let stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&READABLE));
    (0..10).for_each(|number| stage.source.file(&format!("{number}"), 100));
    stage.source.folder("empty");
    stage.source.link("link", "0");
    let mut journaled = Journaled::new(stage);
    assert_eq!(journaled.stage.run().await.moved, 12);
    journaled.stage.job.meter = Arc::new(Meter::new(3));
    journaled.stage.job.tunnel = Tunnel::new(Limits::default());
    journaled
}

async fn verify(journaled: &Journaled, reread: bool, both: bool) -> (Findings, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&told);
    let job = &journaled.stage.job;
    let asked = Verification {
        journal: journaled.journal().path().to_owned(),
        reread,
        checksums: vec![Algorithm::Sha256],
        workers: NonZeroUsize::new(3).expect("three"),
        attempts: job.transfer.attempts,
        max_backoff: job.transfer.max_backoff,
        tunnel: job.tunnel.clone(),
        meter: Arc::clone(&job.meter),
        events: Arc::new(move |checked: Checked| {
            let is_file = checked.key.as_str().parse::<u32>().is_ok();
            if reread && is_file && checked.verdict.as_str() == "ok" {
                assert_eq!(checked.checksums[&Algorithm::Sha256].len(), 32);
            }
            if checked.verdict.as_str() != "ok" {
                lock(&events).push(format!("{} {}", checked.verdict.as_str(), checked.key));
            }
        }),
        cancel: job.cancel.clone(),
        seed: 1,
    };
    let (source, sink) = (Arc::new(Arc::clone(&journaled.stage.source)), Arc::new(Arc::clone(&journaled.stage.sink)));
    let tasks = LocalSet::new();
    let findings = if both {
        tasks.run_until(verify_both(asked, source, sink, &Here)).await
    } else {
        tasks.run_until(verify_sink(asked, sink, &Here)).await
    };
    let mut told = std::mem::take(&mut *lock(&told));
    told.sort();
    (findings, told)
}

/// Changes a byte at the sink, and what the sink tells about it if it's to notice.
fn rot(journaled: &Journaled, name: &str, notices: bool) {
    let mut objects = lock(&journaled.stage.sink.objects);
    let (object, bytes) = objects.get_mut(&key(name)).expect("it's there");
    bytes[5] ^= 1;
    if notices {
        object.checksums.values_mut().for_each(|digest| digest[0] ^= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_as_it_was_is_ok_at_any_depth() {
    let journaled = moved().await;
    journaled.stage.source.take_reads();
    for (reread, both, bytes) in [(false, false, 0), (false, true, 0), (true, false, 1_000), (true, true, 3_000)] {
        let (findings, told) = verify(&journaled, reread, both).await;
        assert_eq!(told, Vec::<String>::new());
        assert_eq!((findings.checked, findings.ok, findings.state), (12, 12, State::Finished));
        assert_eq!(findings.bytes_read, bytes, "in all so far");
        assert_eq!(journaled.stage.job.tunnel.usage().spent_bytes, bytes, "every byte took credit");
    }
}

#[tokio::test(start_paused = true)]
async fn every_difference_has_its_word() {
    let journaled = moved().await;
    rot(&journaled, "1", true);
    rot(&journaled, "2", false);
    lock(&journaled.stage.sink.objects).remove(&key("3"));
    lock(&journaled.stage.sink.objects).get_mut(&key("4")).expect("there").0.size = Some(99);
    lock(&journaled.stage.sink.objects).get_mut(&key("link")).expect("there").0.kind = Kind::Directory;
    journaled.stage.source.change("5", 100);
    journaled.stage.source.remove("6");
    let seen = ["checksum 1", "kind link", "missing 3", "size 4"];
    assert_eq!(verify(&journaled, false, false).await.1, seen);
    assert_eq!(
        verify(&journaled, true, false).await.1,
        ["checksum 1", "checksum 2", "kind link", "missing 3", "size 4"]
    );
    let (findings, told) = verify(&journaled, false, true).await;
    assert_eq!(told, ["changed 5", "checksum 1", "gone 6", "kind link", "missing 3", "size 4"]);
    assert_eq!((findings.ok, findings.missing, findings.changed, findings.gone), (6, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_lies_about_its_version_is_found_by_reading_both() {
    let journaled = moved().await;
    let source = &journaled.stage.source;
    let (object, bytes) = lock(&source.items)[&key("7")].clone();
    let mut bytes = bytes.to_vec();
    bytes[0] ^= 1;
    source.add(object, bytes.into());
    assert_eq!(verify(&journaled, false, true).await.1, Vec::<String>::new());
    assert_eq!(verify(&journaled, true, true).await.1, ["changed 7"]);
}

#[tokio::test(start_paused = true)]
async fn stores_that_fail_are_asked_again_and_reported() {
    let journaled = moved().await;
    let sink = &journaled.stage.sink;
    sink.fault("stat", "1", [SinkFault::Fail(error(Code::UNAVAILABLE)), SinkFault::Fail(trap())]);
    sink.read_back.fault("read", "2", [SourceFault::Break(0, error(Code::IO))]);
    sink.fault("stat", "3", [SinkFault::Fail(error(Code::PERMISSION_DENIED))]);
    let (findings, told) = verify(&journaled, true, false).await;
    assert_eq!(told, ["failed 3"]);
    assert_eq!((findings.ok, findings.failed), (11, 1));
}

#[tokio::test(start_paused = true)]
async fn a_verification_can_be_stopped_and_refused() {
    let mut journaled = moved().await;
    journaled.stage.sink.fault("stat", "1", [SinkFault::Hang]);
    let cancel = journaled.stage.job.cancel.clone();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    };
    let (findings, ()) = tokio::join!(verify(&journaled, false, false), stop);
    assert_eq!(findings.0.state, State::Interrupted);

    journaled.reopen();
    let sink = Arc::get_mut(&mut journaled.stage.sink).expect("not shared");
    sink.capabilities = crate::memory::capabilities(&SINK);
    let State::Failed(error) = verify(&journaled, true, false).await.0.state else { panic!("it can't be read back") };
    assert_eq!(error.code, Code::UNSUPPORTED);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_says_what_cannot_be_is_not_all_right() {
    let journaled = moved().await;
    let connection = rusqlite::Connection::open(journaled.journal().path()).expect("it opens");
    connection.execute("UPDATE objects SET key = '../3' WHERE key = '3'", []).expect("written");
    let (findings, _) = verify(&journaled, false, false).await;
    let State::Failed(error) = findings.state else { panic!("{:?}", findings.state) };
    assert_eq!(error.code, Code::CORRUPT);
    assert!(error.message.contains("\"../3\""), "{error}");
}
