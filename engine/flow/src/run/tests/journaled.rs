//! Runs with a journal: what a second one doesn't do again, and what a killed or stopped one leaves.

use tempfile::TempDir;
use tokio::time::sleep;

use super::*;
use crate::{
    journal::{Entry, Identity, Journal, Outcome, RunState, Wanted},
    memory::{SinkFault, error, key},
};

/// A stage with a journal on disk.
pub(super) struct Journaled {
    pub(super) stage: Stage,
    folder: TempDir,
}

impl Journaled {
    pub(super) fn new(stage: Stage) -> Self {
        let mut this = Self { stage, folder: TempDir::new().expect("a folder") };
        this.reopen();
        this
    }

    pub(super) fn files(count: usize) -> Self {
        let stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
        (0..count).for_each(|number| stage.source.file(&format!("{number:04}"), 10));
        Self::new(stage)
    }

    /// As a new process would.
    pub(super) fn reopen(&mut self) {
        self.stage.job.journal = None;
        self.stage.job.cancel = Cancel::new();
        let identity = Identity { source: "a".into(), sink: "b".into(), selection: "all".into() };
        let journal = Journal::open(&self.folder.path().join("journal.sqlite"), &identity).expect("it opens");
        self.stage.job.journal = Some(Arc::new(journal));
    }

    pub(super) fn journal(&self) -> Arc<Journal> {
        Arc::clone(self.stage.job.journal.as_ref().expect("a journal"))
    }

    pub(super) fn names(&self, wanted: impl Fn(i64) -> Wanted) -> Vec<String> {
        let reader = self.journal().reader().expect("it reads");
        let run = reader.last_run().expect("read").expect("a run").id;
        reader.records(wanted(run)).map(|record| record.expect("a record").name).collect()
    }

    /// The journal writes nothing any more once so many objects have been moved.
    fn die_after(&mut self, objects: u64) {
        let (journal, meter) = (Arc::downgrade(&self.journal()), Arc::new(Mutex::new(0)));
        let told = Arc::clone(&self.stage.events);
        self.stage.job.events = Arc::new(move |event| {
            if matches!(event, Event::ObjectMoved { .. }) {
                let mut moved = lock(&meter);
                *moved += 1;
                if *moved == objects
                    && let Some(journal) = journal.upgrade()
                {
                    journal.flush().expect("written");
                    let _ = journal.record(Entry::Die);
                }
            }
            lock(&told).push(event);
        });
    }

    /// Runs and is stopped after a while.
    pub(super) async fn stop_after(&mut self, pause: Duration) -> Summary {
        let cancel = self.stage.job.cancel.clone();
        let stop = async {
            sleep(pause).await;
            cancel.cancel();
        };
        tokio::join!(self.stage.run(), stop).0
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_round_asks_the_sink_nothing() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    stage.source.folder("folder");
    stage.source.folder("folder/empty");
    stage.source.file("folder/a", 10);
    stage.source.link("link", "folder/a");
    stage.source.file("large", 25_000);
    stage.job.events = Arc::new(|_| {});
    let mut journaled = Journaled::new(stage);
    let summary = journaled.stage.run().await;
    assert_eq!((summary.state, summary.moved), (State::Finished, 4));
    journaled.stage.assert_identical();
    assert_eq!(journaled.names(Wanted::Moved), ["folder/a", "folder/empty", "large", "link"]);
    for _ in 0..2 {
        journaled.reopen();
        journaled.stage.source.take_reads();
        let (stats, written) = (journaled.stage.sink.stats.swap(0, Ordering::Relaxed), journaled.stage.sink.log());
        assert!(stats < 10, "{stats} looks at the sink");
        let summary = journaled.stage.run().await;
        assert_eq!((summary.listed, summary.skipped), (4, 4));
        assert_eq!((journaled.stage.source.take_reads(), journaled.stage.sink.stats.load(Ordering::Relaxed)), (0, 0));
        assert_eq!(journaled.stage.sink.log(), written, "nothing was written");
        assert_eq!(journaled.names(Wanted::Skipped).len(), 4);
        assert_eq!(journaled.names(|_| Wanted::Manifest).len(), 4, "what is at the sink stays known");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_found_the_same_is_not_asked_for_again_either() {
    let mut journaled = Journaled::files(20);
    let journal = journaled.stage.job.journal.take();
    journaled.stage.run().await;
    journaled.stage.job.journal = journal;
    journaled.stage.run().await;
    assert_eq!(journaled.stage.told()[0], "skipped 0000 same");
    journaled.stage.sink.stats.store(0, Ordering::Relaxed);
    journaled.stage.run().await;
    assert_eq!(journaled.stage.told()[0], "skipped 0000 same");
    assert_eq!(journaled.stage.sink.stats.load(Ordering::Relaxed), 0);
    journaled.stage.source.change("0003", 11);
    journaled.stage.run().await;
    assert_eq!(journaled.names(Wanted::Moved), ["0003"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_run_goes_on_where_the_journal_ends() {
    for objects in [1, 7, 49] {
        let mut journaled = Journaled::files(50);
        journaled.stage.job.transfer.overwrite = Overwrite::Always;
        journaled.die_after(objects);
        let summary = journaled.stage.run().await;
        assert!(matches!(summary.state, State::Failed(_)), "its end couldn't be written");
        journaled.reopen();
        let written = journaled.names(Wanted::Moved).len();
        assert!(written as u64 >= objects, "what was flushed is there");
        journaled.stage.source.take_reads();
        let summary = journaled.stage.run().await;
        assert_eq!(summary.state, State::Finished);
        assert_eq!(journaled.stage.source.take_reads(), 50 - written, "what is written down isn't read again");
        journaled.stage.assert_identical();
        assert_eq!(journaled.names(Wanted::Moved).len(), 50, "the report is that of the whole run");
        let run = journaled.journal().reader().expect("it reads").last_run().expect("read").expect("a run");
        assert_eq!((run.id, run.state, run.moved, run.listed), (1, RunState::Finished, 50, 50));
        // Another round overwrites everything, as it's told.
        assert_eq!(journaled.stage.run().await.moved, 50);
    }
}

/// One object of 40 parts, a second for each of its 40 chunks, by three workers.
fn slow() -> Journaled {
    let mut source = MemorySource::new(&SOURCE);
    source.chunk_time = Duration::from_secs(1);
    source.file("large", 400_000);
    Journaled::new(Stage::new(source, MemorySink::new(&SINK)))
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_stored_are_not_sent_again() {
    for seconds in [0, 3, 9] {
        let mut journaled = slow();
        let summary = journaled.stop_after(Duration::from_millis(1_000 * seconds + 500)).await;
        assert_eq!(summary.state, State::Interrupted);
        assert_eq!(lock(&journaled.stage.sink.uploads).len(), 1, "it's kept for the next run");
        let stored = lock(&journaled.stage.sink.uploads).values().map(|parts| parts.len()).sum::<usize>();
        assert_eq!(stored as u64, 3 * seconds);
        journaled.stage.source.take_reads();
        journaled.reopen();
        let summary = journaled.stage.run().await;
        assert_eq!((summary.state, summary.moved), (State::Finished, 1));
        assert_eq!(journaled.stage.source.take_reads(), 40 - stored);
        journaled.stage.assert_identical();
        let reader = journaled.journal().reader().expect("it reads");
        let record = reader.record("large").expect("read").expect("there");
        assert_eq!(record.grade, Some(Grade::Checksum(crate::object::Algorithm::Crc64Nvme)), "over all parts");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_which_only_the_commit_is_missing_is_committed() {
    let mut journaled = slow();
    journaled.stage.sink.fault("commit", "large", [SinkFault::Hang]);
    journaled.stop_after(Duration::from_secs(60)).await;
    journaled.stage.source.take_reads();
    journaled.reopen();
    assert_eq!(journaled.stage.run().await.moved, 1);
    assert_eq!(journaled.stage.source.take_reads(), 0);
    journaled.stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_another_content_is_aborted() {
    let mut journaled = slow();
    journaled.stop_after(Duration::from_millis(3_500)).await;
    journaled.stage.source.change("large", 400_001);
    journaled.reopen();
    journaled.stage.run().await;
    assert_eq!(journaled.stage.sink.log(), ["sweep", "abort large#0", "commit large"]);
    journaled.stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_the_sink_has_forgotten_starts_over() {
    let mut journaled = slow();
    journaled.stop_after(Duration::from_millis(3_500)).await;
    lock(&journaled.stage.sink.uploads).clear();
    journaled.reopen();
    assert_eq!(journaled.stage.run().await.moved, 1);
    assert_eq!(journaled.stage.told(), ["moved large 2", "swept 0"]);
    journaled.stage.assert_identical();
}

/// What stands in the journal of an upload may be anything: it's never taken for parts of this object,
/// or the run says what is wrong.
#[tokio::test(start_paused = true)]
async fn an_upload_that_cannot_be_is_not_gone_on_with() {
    for (sql, is_damage) in [
        ("UPDATE uploads SET size = -1", false),
        ("UPDATE uploads SET part_size = 0", false),
        ("UPDATE uploads SET part_size = 9223372036854775807", false),
        ("UPDATE uploads SET version = 'another', modified = NULL", false),
        ("UPDATE parts SET number = number + 40", false),
        ("UPDATE parts SET checksums = x'ffff'", false),
        ("UPDATE parts SET number = -number", true),
        ("UPDATE parts SET token = x'ff'", true),
    ] {
        let mut journaled = slow();
        journaled.stop_after(Duration::from_millis(3_500)).await;
        let connection = rusqlite::Connection::open(journaled.journal().path()).expect("it opens");
        assert!(connection.execute(sql, []).expect(sql) > 0);
        drop(connection);
        journaled.reopen();
        let summary = journaled.stage.run().await;
        match summary.state {
            State::Failed(error) if is_damage => assert_eq!(error.code, Code::CORRUPT, "{sql}"),
            state => {
                assert_eq!((state, summary.moved, is_damage), (State::Finished, 1, false), "{sql}");
                journaled.stage.assert_identical();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_goes_on_with_is_aborted_at_the_end() {
    let mut journaled = slow();
    journaled.stop_after(Duration::from_millis(3_500)).await;
    journaled.stage.source.remove("large");
    journaled.stage.source.file("small", 1);
    journaled.reopen();
    assert_eq!(journaled.stage.run().await.state, State::Finished);
    assert_eq!(journaled.stage.sink.log(), ["sweep", "put small", "abort large#0"]);
    journaled.reopen();
    journaled.stage.run().await;
    assert_eq!(journaled.stage.sink.log().len(), 3, "once");
}

#[tokio::test(start_paused = true)]
async fn a_flat_listing_goes_on_behind_what_is_done() {
    let mut source = MemorySource::new(&["range-read", "ordered-listing"]);
    source.chunk_time = Duration::from_secs(1);
    (0..9_000).for_each(|number| source.file(&format!("{number:04}"), 1));
    let mut journaled = Journaled::new(Stage::new(source, MemorySink::new(&SINK)));
    let summary = journaled.stop_after(Duration::from_millis(2_000_500)).await;
    assert_eq!(summary.state, State::Interrupted);
    journaled.reopen();
    journaled.stage.source.take_reads();
    let summary = journaled.stage.run().await;
    assert_eq!(summary.state, State::Finished);
    let lists = lock(&journaled.stage.source.lists).clone();
    let after = lists.last().and_then(|(_, after)| after.clone()).expect("it went on");
    let after: u64 = after.parse().expect("a number");
    assert!((4_000..6_000).contains(&after), "behind {after} of about 6000 that were done");
    assert_eq!(journaled.stage.source.take_reads() as u64, 9_000 - 6_000);
    journaled.stage.assert_identical();
    journaled.stage.run().await;
    assert_eq!(lock(&journaled.stage.source.lists).last(), Some(&(String::new(), None)), "a new run lists everything");
}

#[tokio::test(start_paused = true)]
async fn failures_are_written_down_and_tried_again() {
    let mut journaled = Journaled::files(3);
    journaled.stage.sink.fault("put", "0001", [SinkFault::Fail(error(Code::PERMISSION_DENIED))]);
    assert_eq!(journaled.stage.run().await.failed, 1);
    assert_eq!(journaled.names(Wanted::Failed), ["0001"]);
    let reader = journaled.journal().reader().expect("it reads");
    let record = reader.record("0001").expect("read").expect("there");
    assert_eq!((record.code.as_deref(), record.outcome), (Some("permission-denied"), Outcome::Failed));
    journaled.reopen();
    journaled.stage.run().await;
    assert_eq!(journaled.names(Wanted::Moved), ["0001"]);
    assert!(journaled.names(Wanted::Failed).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_failed_verification_is_repaired_and_counted_or_not_at_the_sink() {
    let mut journaled = Journaled::files(2);
    journaled.stage.source.file("large", 25_000);
    journaled.stage.run().await;
    for (name, length) in [("0000", 11), ("0001", 11), ("large", 25_001)] {
        journaled.stage.source.change(name, length);
    }
    journaled.stage.sink.fault("put", "0000", [SinkFault::Corrupt]);
    journaled.stage.sink.fault("put", "0001", vec![SinkFault::Corrupt; 9]);
    journaled.stage.sink.fault("commit", "large", [SinkFault::Corrupt]);
    let summary = journaled.stage.run().await;
    assert_eq!((summary.moved, summary.repaired, summary.failed), (2, 2, 1));
    assert_eq!(journaled.names(|_| Wanted::Manifest), ["0000", "large"]);
    assert!(!lock(&journaled.stage.sink.objects).contains_key(&key("0001")));
    let run = journaled.journal().reader().expect("it reads").last_run().expect("read").expect("a run");
    assert_eq!(run.repaired, 2);
}

#[tokio::test(start_paused = true)]
async fn checksums_that_are_asked_for_come_into_the_manifest() {
    use crate::object::Algorithm;
    let mut journaled = Journaled::files(1);
    journaled.stage.source.file("large", 25_000);
    journaled.stage.job.checksums = vec![Algorithm::Sha256, Algorithm::Crc32c];
    assert_eq!(journaled.stage.run().await.moved, 2);
    let reader = journaled.journal().reader().expect("it reads");
    let known = |name: &str| reader.record(name).expect("read").expect("there").checksums;
    let whole = [Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha256];
    assert!(known("0000").keys().eq(&whole), "{:?}", known("0000"));
    assert!(known("large").keys().eq(&whole), "a SHA-256 doesn't follow from those of parts, so it moved as a whole");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_could_not_list_everything_is_not_gone_on_with() {
    let mut journaled = Journaled::files(3);
    journaled.stage.source.folder("folder");
    journaled.stage.job.transfer.overwrite = Overwrite::Always;
    for expected in [1, 2] {
        let fault = crate::memory::SourceFault::Fail(error(Code::IO));
        journaled.stage.source.fault("list", "folder", vec![fault; 4]);
        let summary = journaled.stage.run().await;
        assert!(matches!(summary.state, State::Failed(_)));
        assert_eq!(summary.moved, 3, "each is a run of its own");
        let run = journaled.journal().reader().expect("it reads").last_run().expect("read").expect("a run");
        assert_eq!((run.id, run.state), (expected, RunState::Failed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_journal_breaks_does_not_go_on() {
    let mut journaled = Journaled::files(5);
    let _ = journaled.journal().record(Entry::Die);
    let summary = journaled.stage.run().await;
    assert!(matches!(summary.state, State::Failed(_)));
    assert_eq!(summary.moved, 0);
}
