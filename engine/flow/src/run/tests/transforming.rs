//! Objects that become others on their way.

use super::*;
use crate::{
    body::MAX_CHUNK_BYTES,
    error::Code,
    journal::Identity,
    memory::{Deed, MemoryTransform, SourceFault, content, error, key},
    object::Algorithm,
    rules::{ByteRate, DeleteExtra},
    sink::PUT_WITHOUT_SIZE,
    transform::{Passage, Transformed},
};

/// A sink that wants sizes.
const SIZED: [&str; 4] = ["parts", "symlinks", "modified", "checksum:crc64-nvme"];
/// One that doesn't.
const UNSIZED: [&str; 3] = ["modified", "checksum:crc64-nvme", PUT_WITHOUT_SIZE];

/// Runs a stage behind these transforms, each of which puts a letter behind the keys.
async fn run_through(stage: &mut Stage, deeds: &[Deed]) -> Summary {
    lock(&stage.events).clear();
    stage.job.meter = Arc::new(Meter::new(3));
    let transforms = deeds.iter().map(|deed| MemoryTransform::new(*deed, "~")).collect();
    let (tunnel, verify) = (stage.job.tunnel.clone(), stage.job.transfer.verify);
    let passage = Passage { tunnel, verify, max_object: ByteSize(4 << 20) };
    let source = Arc::new(Transformed::new(Arc::clone(&stage.source), transforms, passage));
    let sink = Arc::new(Arc::clone(&stage.sink));
    let summary = LocalSet::new().run_until(run(stage.job.clone(), source, sink, &Here)).await;
    let usage = stage.job.tunnel.usage();
    assert_eq!(usage.granted_bytes, usage.spent_bytes, "every credit is spent or given back");
    assert!(lock(&stage.sink.uploads).is_empty(), "no upload is left");
    summary
}

fn stage(sizes: &[(&str, usize)], words: &[&str]) -> Stage {
    let source = MemorySource::new(&SOURCE);
    sizes.iter().for_each(|(name, size)| source.file(name, *size));
    Stage::new(source, MemorySink::new(words))
}

fn stored(stage: &Stage, name: &str) -> Vec<u8> {
    lock(&stage.sink.objects)[&key(name)].1.clone()
}

fn doubled(name: &str, size: usize) -> Vec<u8> {
    content(name, size).iter().flat_map(|byte| [*byte; 2]).collect()
}

#[tokio::test(start_paused = true)]
async fn what_arrives_is_what_was_made_of_it() {
    let sizes = [("empty", 0), ("small", 10), ("large", 3 * MAX_CHUNK_BYTES + 1)];
    for words in [&UNSIZED[..], &SIZED[..]] {
        let mut stage = stage(&sizes, words);
        stage.source.folder("folder");
        stage.source.link("link", "nowhere");
        let summary = run_through(&mut stage, &[Deed::Double]).await;
        assert_eq!((summary.state, summary.failed), (State::Finished, 0), "{:?}", stage.told());
        for (name, size) in sizes {
            assert!(stored(&stage, &format!("{name}~")) == doubled(name, size), "{name}");
        }
        for event in lock(&stage.events).iter() {
            if let Event::ObjectMoved { key, grade, bytes, .. } = event
                && key.as_str().ends_with('~')
            {
                assert_eq!(*grade, Some(Grade::Checksum(Algorithm::Crc64Nvme)), "{key}");
                assert_eq!(*bytes, stored(&stage, key.as_str()).len() as u64);
            }
        }
        assert_eq!(lock(&stage.sink.objects).contains_key(&key("link")), words.contains(&"symlinks"));
    }
}

#[tokio::test(start_paused = true)]
async fn transforms_follow_each_other() {
    let mut stage = stage(&[("a", 100_000)], &UNSIZED);
    run_through(&mut stage, &[Deed::Double, Deed::Hoard, Deed::Double]).await;
    let expected: Vec<u8> = content("a", 100_000).iter().flat_map(|byte| [*byte; 4]).collect();
    assert!(stored(&stage, "a~~~") == expected);
}

#[tokio::test(start_paused = true)]
async fn the_larger_end_is_what_the_tunnel_counts() {
    for (deed, counted) in [(Deed::Double, 800_000), (Deed::Hoard, 400_000), (Deed::Halve, 400_000)] {
        let mut stage = stage(&[("a", 400_000)], &UNSIZED);
        run_through(&mut stage, &[deed]).await;
        let spent = stage.job.tunnel.usage().spent_bytes;
        // A burst that had its credit long ago is paid again.
        assert!((counted..=counted + 1).contains(&spent), "{deed:?}: {spent}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_for_what_is_written_too() {
    let rate = ByteRate(std::num::NonZeroU64::new(100_000).expect("a rate"));
    for (deed, bytes) in [(Deed::Double, 800_000_u32), (Deed::Halve, 400_000)] {
        let mut stage = stage(&[("a", 400_000)], &UNSIZED);
        stage.job.tunnel = Tunnel::new(Limits { max_bandwidth: Some(rate), ..Limits::default() });
        let begin = Instant::now();
        run_through(&mut stage, &[deed]).await;
        // One burst is there at the beginning.
        let least = f64::from(bytes) / 100_000.0 - 1.0;
        assert!(begin.elapsed().as_secs_f64() >= least, "{deed:?}: {:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_run_moves_what_has_changed() {
    let mut stage = stage(&[("a", 10), ("b", 20)], &UNSIZED);
    let folder = tempfile::TempDir::new().expect("a folder");
    let identity = Identity { source: "a".into(), sink: "b".into(), selection: "all".into() };
    let journal = Journal::open(&folder.path().join("journal.sqlite"), &identity).expect("it opens");
    stage.job.journal = Some(Arc::new(journal));
    assert_eq!(run_through(&mut stage, &[Deed::Double]).await.moved, 2);
    let summary = run_through(&mut stage, &[Deed::Double]).await;
    assert_eq!((summary.moved, summary.skipped), (0, 2));
    assert_eq!(stage.told(), ["skipped a~ done", "skipped b~ done"]);
    stage.source.file("c", 5);
    assert_eq!(run_through(&mut stage, &[Deed::Double]).await.moved, 1);
    // Without a journal, the times say that they are the same.
    stage.job.journal = None;
    let summary = run_through(&mut stage, &[Deed::Double]).await;
    assert_eq!((summary.moved, summary.skipped), (0, 3), "{:?}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn the_selection_goes_by_what_the_source_has() {
    let mut stage = stage(&[("a.tif", 10), ("b.txt", 20), ("c.tif", 2_000)], &UNSIZED);
    let glob = globset::Glob::new("*.tif").expect("a glob");
    stage.job.selection.include = Some(globset::GlobSetBuilder::new().add(glob).build().expect("globs"));
    stage.job.selection.max_size = Some(ByteSize(100));
    run_through(&mut stage, &[Deed::Double]).await;
    assert_eq!(stage.told(), ["moved a.tif~ 1", "skipped b.txt not-included", "skipped c.tif too-large"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_extra_is_found_behind_the_transforms() {
    let words = [&UNSIZED[..], &["read-back"]].concat();
    let mut stage = stage(&[("a", 10), ("b", 20)], &words);
    let folder = tempfile::TempDir::new().expect("a folder");
    let identity = Identity { source: "a".into(), sink: "b".into(), selection: "all".into() };
    let journal = Journal::open(&folder.path().join("journal.sqlite"), &identity).expect("it opens");
    stage.job.journal = Some(Arc::new(journal));
    stage.job.delete_extra = Some(DeleteExtra { max_percent: 100, keep: Vec::new() });
    run_through(&mut stage, &[Deed::Double]).await;
    lock(&stage.source.items).remove(&key("a"));
    // No transform makes it, so it's somebody else's.
    let foreign = crate::memory::object("foreign", Kind::File, Some(1));
    lock(&stage.sink.objects).insert(key("foreign"), (foreign, vec![0]));
    run_through(&mut stage, &[Deed::Double]).await;
    assert_eq!(stage.told(), ["deleted a~", "skipped b~ done"]);
    stage.job.selection.max_size = Some(ByteSize(100));
    let refused = run_through(&mut stage, &[Deed::Double]).await;
    assert!(matches!(refused.state, State::Failed(error) if error.code == Code::INVALID_CONFIG));
}

#[tokio::test(start_paused = true)]
async fn a_transform_that_breaks_the_rules_leaves_nothing() {
    let crimes = [(Deed::LeaveSome, Code::INTERNAL), (Deed::Endless, Code::TOO_LARGE), (Deed::Fail, Code::CORRUPT)];
    for (deed, code) in crimes {
        for words in [&UNSIZED[..], &SIZED[..]] {
            let mut stage = stage(&[("a", 3 * MAX_CHUNK_BYTES)], words);
            run_through(&mut stage, &[deed]).await;
            assert_eq!(stage.told(), [format!("failed a~ {code} 1")], "{deed:?}");
            assert!(lock(&stage.sink.objects).is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_not_taken_for_its_end() {
    let faults = [SourceFault::Break(1, error(Code::IO)), SourceFault::Truncate(100), SourceFault::Longer];
    for fault in faults {
        let mut stage = stage(&[("a", 2 * MAX_CHUNK_BYTES)], &UNSIZED);
        stage.source.fault("read", "a", [fault]);
        run_through(&mut stage, &[Deed::Hoard]).await;
        // The second attempt reads it from its beginning.
        assert_eq!(stage.told(), ["moved a~ 2"]);
        assert!(stored(&stage, "a~") == content("a", 2 * MAX_CHUNK_BYTES));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_is_held_against_what_the_source_knows() {
    let mut stage = stage(&[], &UNSIZED);
    let bytes = content("a", 1000);
    let mut object = crate::memory::object("a", Kind::File, Some(1000));
    let mut hasher = crate::hash::Hasher::new([Algorithm::Md5]);
    hasher.update(&bytes);
    object.checksums = hasher.finish();
    stage.source.add(object, bytes);
    stage.source.fault("read", "a", [SourceFault::Flip]);
    run_through(&mut stage, &[Deed::Double]).await;
    assert_eq!(stage.told(), ["moved a~ 2"]);
    assert!(stored(&stage, "a~") == doubled("a", 1000));
}

#[tokio::test(start_paused = true)]
async fn more_than_a_part_into_a_sink_without_parts_is_refused() {
    let mut stage = stage(&[("a", 10), ("b", 30_000)], &["checksum:crc64-nvme"]);
    run_through(&mut stage, &[Deed::Double]).await;
    assert_eq!(stage.told(), ["failed b~ unsupported 1", "moved a~ 1"]);
}

#[tokio::test(start_paused = true)]
async fn without_transforms_a_source_is_what_it_is() {
    let source = MemorySource::new(&["range-read", "read-batch"]);
    (0..20).for_each(|number| source.file(&format!("small-{number}"), 100));
    source.file("large", 123_457);
    let sink = MemorySink::new(&[&SINK[..], &["put-batch"]].concat());
    let mut stage = Stage::new(source, sink);
    stage.job.transfer.overwrite = Overwrite::Always;
    assert_eq!(run_through(&mut stage, &[]).await.moved, 21);
    stage.assert_identical();
    assert!(!lock(&stage.source.batches).is_empty(), "small ones come by the batch");
    assert!(lock(&stage.source.reads).len() > 1, "large ones come in parts");
}
