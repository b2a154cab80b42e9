//! A tree whose run was ended half-way: the folders in which everything is done aren't listed again.

use super::{journaled::Journaled, *};
use crate::{
    memory::{SinkFault, error},
    rules::DeleteExtra,
};

/// Ten folders of ten files, a second for each file, with folders in some of them.
fn tree(sink: &[&str]) -> Journaled {
    let mut source = MemorySource::new(&SOURCE);
    source.chunk_time = Duration::from_secs(1);
    for number in 0..10 {
        source.folder(&format!("{number}"));
        source.folder(&format!("{number}/below"));
        source.folder(&format!("{number}/empty"));
        (0..9).for_each(|file| source.file(&format!("{number}/{file}"), 1));
        source.file(&format!("{number}/below/file"), 1);
    }
    Journaled::new(Stage::new(source, MemorySink::new(sink)))
}

/// Which folders were listed since this was asked last.
fn take_lists(journaled: &Journaled) -> Vec<String> {
    let lists = std::mem::take(&mut *lock(&journaled.stage.source.lists));
    lists.into_iter().map(|(folder, _)| folder).collect()
}

/// By three workers: 102 objects take 34 s. After 17 about half the folders are done.
async fn interrupted(sink: &[&str]) -> (Journaled, usize) {
    let mut journaled = tree(sink);
    let summary = journaled.stop_after(Duration::from_millis(17_500)).await;
    assert_eq!(summary.state, State::Interrupted);
    journaled.reopen();
    take_lists(&journaled);
    journaled.stage.source.take_reads();
    let moved = usize::try_from(summary.moved).expect("fits");
    (journaled, moved)
}

#[tokio::test(start_paused = true)]
async fn folders_that_are_done_are_not_listed_again() {
    for sink in [&SINK[..], &["parts", "checksum:crc64-nvme"]] {
        let holds_directories = sink.len() == SINK.len();
        let (mut journaled, _) = interrupted(sink).await;
        let run = journaled.stage.run().await;
        assert_eq!(run.state, State::Finished);
        let lists = take_lists(&journaled);
        assert!(!lists.contains(&"0".to_owned()) && !lists.contains(&"1/below".to_owned()), "{lists:?}");
        assert!(lists.contains(&"9/below".to_owned()), "{lists:?}");
        assert!((10..20).contains(&lists.len()), "about half of 31 in {lists:?}");
        assert!(journaled.stage.source.take_reads() < 60);
        if holds_directories {
            journaled.stage.assert_identical();
        }
        // The report is that of both.
        let record = journaled.journal().reader().expect("it reads").last_run().expect("read").expect("a run");
        let (moved, skipped) = if holds_directories { (110, 0) } else { (100, 10) };
        assert_eq!((record.id, record.listed, record.moved, record.skipped), (1, 110, moved, skipped));
        // A new run lists everything.
        journaled.stage.run().await;
        assert_eq!(take_lists(&journaled).len(), 31);
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_has_changed_since_is_listed_again() {
    let (mut journaled, _) = interrupted(&SINK).await;
    for (object, _) in lock(&journaled.stage.source.items).values_mut() {
        if object.key.as_str() == "0" {
            object.modified = Some(std::time::SystemTime::UNIX_EPOCH);
        }
    }
    journaled.stage.source.file("0/new", 1);
    journaled.stage.run().await;
    let lists = take_lists(&journaled);
    assert!(lists.contains(&"0".to_owned()) && !lists.contains(&"0/below".to_owned()), "{lists:?}");
    journaled.stage.assert_identical();
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_which_something_failed_is_listed_again_and_so_is_what_it_is_in() {
    for (operation, name) in [("put", "0/below/file"), ("put", "0/below"), ("put", "0/3")] {
        let mut journaled = tree(&SINK);
        journaled.stage.sink.fault(operation, name, [SinkFault::Fail(error(Code::PERMISSION_DENIED))]);
        journaled.stop_after(Duration::from_millis(17_500)).await;
        journaled.reopen();
        take_lists(&journaled);
        assert_eq!(journaled.stage.run().await.state, State::Finished);
        let lists = take_lists(&journaled);
        assert!(lists.contains(&"0".to_owned()) && !lists.contains(&"1".to_owned()), "{lists:?}");
        assert_eq!(lists.contains(&"0/below".to_owned()), name.starts_with("0/below"), "{name}: {lists:?}");
        journaled.stage.assert_identical();
    }
}

/// What was done before is still written behind what is in it.
#[tokio::test(start_paused = true)]
async fn a_folder_above_one_that_is_passed_over_gets_its_attributes_last() {
    let mut source = MemorySource::new(&SOURCE);
    source.chunk_time = Duration::from_secs(1);
    source.folder("above");
    source.folder("above/a");
    source.file("above/a/file", 1);
    source.folder("above/b");
    (0..30).for_each(|file| source.file(&format!("above/b/{file}"), 1));
    let mut journaled = Journaled::new(Stage::new(source, MemorySink::new(&SINK)));
    journaled.stop_after(Duration::from_millis(5_500)).await;
    journaled.reopen();
    take_lists(&journaled);
    journaled.stage.run().await;
    assert_eq!(take_lists(&journaled), ["", "above", "above/b"]);
    assert_eq!(journaled.stage.sink.log().last().map(String::as_str), Some("put above"));
    journaled.stage.assert_identical();
}

/// Objects that are unchanged are marked late; a folder isn't whole before they are.
#[tokio::test(start_paused = true)]
async fn a_mirror_deletes_nothing_that_was_passed_over() {
    let readable: Vec<_> = SINK.into_iter().chain(["read-back"]).collect();
    let mut journaled = tree(&readable);
    journaled.stage.job.delete_extra = Some(DeleteExtra { max_percent: 100, keep: Vec::new() });
    journaled.stage.run().await;
    journaled.stage.source.file("9/slow", 400_000);
    let summary = journaled.stop_after(Duration::from_millis(3_500)).await;
    assert_eq!(summary.state, State::Interrupted);
    journaled.reopen();
    take_lists(&journaled);
    let summary = journaled.stage.run().await;
    assert_eq!((summary.state, summary.deleted), (State::Finished, 0));
    let lists = take_lists(&journaled);
    assert!(lists.len() < 31, "{lists:?}");
    journaled.stage.assert_identical();
}
