//! Objects that arrive, and those that stay where they are.

use globset::{Glob, GlobSetBuilder};

use super::*;
use crate::{
    body::MAX_CHUNK_BYTES,
    memory::{SourceFault, at, error, key, object},
    object::{Algorithm, Kind, Object},
};

fn tree() -> MemorySource {
    let source = MemorySource::new(&SOURCE);
    source.file("empty", 0);
    source.file("small", 1);
    source.file("exactly a part", 10_000);
    source.folder("folder");
    source.file("folder/large", 123_457);
    source.folder("folder/nothing in it");
    source.link("folder/link", "nowhere");
    source
}

#[tokio::test(start_paused = true)]
async fn a_tree_arrives_as_it_is_and_stays_at_the_second_run() {
    let mut stage = Stage::new(tree(), MemorySink::new(&SINK));
    let summary = stage.run().await;
    assert_eq!(summary.state, State::Finished);
    // The folder that isn't empty isn't counted.
    assert_eq!((summary.listed, summary.moved, summary.bytes_moved), (6, 6, 133_458));
    stage.assert_identical();
    assert_eq!(stage.job.tunnel.usage().spent_bytes, 133_458);
    let arrived: usize = lock(&stage.sink.arrivals).iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(arrived, 133_458);
    for event in lock(&stage.events).iter() {
        if let Event::ObjectMoved { key, grade, bytes, .. } = event {
            let is_file = *bytes > 0 || key.as_str() == "empty";
            assert_eq!(*grade, is_file.then_some(Grade::Checksum(Algorithm::Crc64Nvme)), "{key}");
        }
    }

    let puts = stage.sink.log().len();
    let summary = stage.run().await;
    assert_eq!((summary.listed, summary.moved, summary.skipped), (6, 0, 6));
    assert_eq!(stage.sink.log().len(), puts, "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn overwrite_modes() {
    let modes = [
        (Overwrite::Never, vec!["moved new 1", "skipped other exists", "skipped same exists"]),
        (Overwrite::Always, vec!["moved new 1", "moved other 1", "moved same 1"]),
        (Overwrite::IfNewer, vec!["moved new 1", "moved other 1", "skipped same same"]),
        (Overwrite::IfDifferent, vec!["moved new 1", "moved other 1", "skipped same same"]),
    ];
    for (overwrite, expected) in modes {
        let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
        for name in ["same", "other", "new"] {
            stage.source.file(name, 10);
        }
        let older = Object { modified: Some(at(999)), ..object("other", Kind::File, Some(10)) };
        for there in [object("same", Kind::File, Some(10)), older] {
            lock(&stage.sink.objects).insert(there.key.clone(), (there, vec![0; 10]));
        }
        stage.job.transfer.overwrite = overwrite;
        stage.run().await;
        assert_eq!(stage.told(), expected, "{overwrite:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_writes_nothing() {
    let mut stage = Stage::new(tree(), MemorySink::new(&SINK));
    lock(&stage.sink.objects).insert(key("small"), (object("small", Kind::File, Some(2)), vec![0; 2]));
    lock(&stage.sink.objects).insert(key("empty"), (object("empty", Kind::File, Some(0)), vec![]));
    for overwrite in [Overwrite::IfDifferent, Overwrite::Always] {
        lock(&stage.events).clear();
        stage.job.transfer.overwrite = overwrite;
        stage.job.meter = Arc::default();
        let plan = stage.plan().await;
        let always = u64::from(overwrite == Overwrite::Always);
        assert_eq!((plan.listed, plan.failed, plan.state), (6, 0, State::Finished));
        assert_eq!(plan.moves, Tally { objects: 4, bytes: 133_457 });
        assert_eq!(plan.overwrites, Tally { objects: 1 + always, bytes: 1 });
        assert_eq!(plan.skips, Tally { objects: 1 - always, bytes: 0 });
        assert!(stage.told().contains(&"planned folder/nothing in it missing false".to_owned()));
    }
    assert!(stage.sink.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn selection_and_kinds_that_the_sink_cannot_hold() {
    let source = tree();
    source.add(object("pipe", Kind::Other("fifo".into()), None), Default::default());
    source.folder("out");
    source.file("out/a", 5);
    let mut stage = Stage::new(source, MemorySink::new(&["parts"]));
    let mut exclude = GlobSetBuilder::new();
    exclude.add(Glob::new("out/**").expect("a glob"));
    stage.job.selection.exclude = Some(exclude.build().expect("globs"));
    stage.job.selection.max_size = Some(ByteSize(100_000));
    let summary = stage.run().await;
    assert_eq!(
        stage.told(),
        [
            "moved empty 1",
            "moved exactly a part 1",
            "moved small 1",
            "skipped folder/large too-large",
            "skipped folder/link sink-cannot-hold",
            "skipped folder/nothing in it sink-cannot-hold",
            "skipped out/a excluded",
            "skipped pipe unknown-kind",
        ]
    );
    assert_eq!((summary.listed, summary.moved, summary.skipped), (8, 3, 5));
}

#[tokio::test(start_paused = true)]
async fn objects_of_unknown_size_go_in_one_piece() {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
    stage.source.add(object("stream", Kind::File, None), crate::memory::content("stream", MAX_CHUNK_BYTES + 1));
    let summary = stage.run().await;
    assert_eq!((summary.moved, stage.sink.log()), (1, vec!["put stream".to_owned()]));
    assert_eq!(stage.sink.bytes("stream").map(|bytes| bytes.len()), Some(MAX_CHUNK_BYTES + 1));
}

#[tokio::test(start_paused = true)]
async fn size_is_the_grade_where_the_sink_reports_no_checksum_or_none_is_asked_for() {
    for (words, verify) in [(&["modified"][..], Verify::Checksum), (&SINK[..], Verify::Size)] {
        let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(words));
        stage.source.file("a", 10);
        stage.job.transfer.verify = verify;
        stage.run().await;
        let events = lock(&stage.events);
        assert!(events.iter().any(|event| matches!(event, Event::ObjectMoved { grade: Some(Grade::Size), .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_limited_tunnel_carries_mixed_objects_at_its_rate() {
    const RATE: u32 = 20 * 1024 * 1024;
    let limits = Limits {
        max_bandwidth: std::num::NonZeroU64::new(u64::from(RATE)).map(crate::rules::ByteRate),
        ..Limits::default()
    };
    for workers in [1, 16] {
        let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&["parts"]));
        for number in 0..2_000 {
            stage.source.file(&format!("small-{number}"), 4096);
        }
        stage.source.file("large", 2 * RATE as usize);
        stage.job.transfer.workers = NonZeroUsize::new(workers).expect("not none");
        stage.job.transfer.part_size = ByteSize(4 << 20);
        stage.job.tunnel = Tunnel::new(limits);
        let summary = stage.run().await;
        let ideal = summary.bytes_moved as f64 / f64::from(RATE);
        // The burst makes it a little shorter.
        assert!((summary.seconds / ideal - 1.0).abs() < 0.01, "{} of {ideal} s with {workers}", summary.seconds);
        let arrivals = lock(&stage.sink.arrivals);
        for (window, most) in [(100, RATE as usize / 10 + MAX_CHUNK_BYTES), (1_000, RATE as usize / 100 * 105)] {
            let window = Duration::from_millis(window);
            let (mut first, mut sum) = (0, 0);
            for (at, bytes) in &*arrivals {
                sum += bytes;
                while *at - arrivals[first].0 >= window {
                    sum -= arrivals[first].1;
                    first += 1;
                }
                assert!(sum <= most, "{sum} bytes in {window:?} with {workers} workers");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lister_that_is_ahead_waits() {
    let mut sink = MemorySink::new(&SINK);
    sink.put_time = Duration::from_millis(1);
    let mut stage = Stage::new(MemorySource::new(&SOURCE), sink);
    let entries = (0..100_000).map(|number| {
        let name = format!("{number:06}");
        Ok(crate::object::Entry::Object(object(&name, Kind::File, Some(0))))
    });
    stage.source.script("", entries.collect());
    stage.source.fault("read", "000000", [SourceFault::Fail(error(Code::IO))]);
    stage.job.transfer.overwrite = Overwrite::Always;
    // None of them is there to be read: they fail at once, which is as good as moving them.
    let most = Arc::new(Mutex::new(0));
    let (seen, done) = (Arc::clone(&most), Mutex::new(0));
    let meter = Arc::new(Meter::new(3));
    let watched = Arc::clone(&meter);
    stage.job.events = Arc::new(move |event| {
        if matches!(event, Event::ObjectFailed { .. }) {
            let mut done = lock(&done);
            *done += 1;
            let mut seen = lock(&seen);
            *seen = watched.listed.get().saturating_sub(*done).max(*seen);
        }
    });
    stage.job.meter = meter;
    let (source, sink) = (Arc::new(Arc::clone(&stage.source)), Arc::new(Arc::clone(&stage.sink)));
    let summary = LocalSet::new().run_until(run(stage.job.clone(), source, sink, &Here)).await;
    assert_eq!((summary.listed, summary.failed), (100_000, 100_000));
    assert!((500..=1024 + 64 + 3).contains(&*lock(&most)), "{} outstanding", *lock(&most));
}

/// The clock is real here, and nothing waits for it.
#[tokio::test]
async fn each_worker_on_a_thread_of_its_own() {
    for _ in 0..5 {
        let source = tree();
        for folder in ["many", "many/more", "many/more/most"] {
            source.folder(folder);
            for number in 0..100 {
                source.file(&format!("{folder}/{number}"), number * 150);
            }
        }
        let mut stage = Stage::new(source, MemorySink::new(&SINK));
        stage.job.transfer.workers = NonZeroUsize::new(8).expect("eight");
        let (source, sink) = (Arc::new(Arc::clone(&stage.source)), Arc::new(Arc::clone(&stage.sink)));
        let summary = run(stage.job.clone(), source, sink, &ThreadPerWorker).await;
        assert_eq!((summary.state, summary.moved), (State::Finished, 306));
        stage.assert_identical();
        let log = stage.sink.log();
        let due = |folder| log.iter().position(|line| *line == format!("put {folder}"));
        assert!(due("many/more/most") < due("many/more") && due("many/more") < due("many"), "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_is_swept_before_anything_is_put() {
    let source = MemorySource::new(&SOURCE);
    source.file("a", 10);
    source.file("b", 10);
    let mut stage = Stage::new(source, MemorySink::new(&SINK));
    lock(&stage.sink.uploads).insert("left".into(), Default::default());
    stage.job.sweep = true;
    let summary = stage.run().await;
    assert_eq!((summary.moved, &summary.state), (2, &State::Finished));
    assert_eq!(lock(&stage.sink.log).first().map(String::as_str), Some("sweep"));
    assert!(stage.told().contains(&"swept 1".to_owned()));
}
