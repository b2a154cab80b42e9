//! `verify = "reread"`: what the sink holds is read again, through the tunnel.

use super::*;
use crate::{
    memory::{SinkFault, SourceFault, error, trap},
    object::Algorithm,
};

const READABLE: [&str; 6] = ["parts", "directories", "symlinks", "modified", "checksum:crc64-nvme", "read-back"];

fn stage(sink: &[&str]) -> Stage {
    let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(sink));
    stage.job.transfer.verify = Verify::Reread;
    stage.source.file("small", 10);
    stage.source.file("large", 25_000);
    stage.source.link("link", "small");
    stage
}

#[tokio::test(start_paused = true)]
async fn every_byte_goes_through_the_tunnel_twice() {
    for words in [&READABLE[..], &["parts", "symlinks", "read-back"]] {
        let mut stage = stage(words);
        let summary = stage.run().await;
        assert_eq!((summary.moved, summary.bytes_moved), (3, 25_010));
        stage.assert_identical();
        let grade = |event: &Event| match event {
            Event::ObjectMoved { grade, .. } => *grade,
            _ => None,
        };
        let grades: Vec<_> = lock(&stage.events).iter().filter_map(grade).collect();
        assert_eq!(grades, [Grade::Reread(Algorithm::Crc64Nvme); 2]);
        assert_eq!(stage.job.tunnel.usage().spent_bytes, 50_020);
        assert_eq!((stage.job.meter.bytes.get(), stage.job.meter.bytes_read_back.get()), (25_010, 25_010));
    }
}

#[tokio::test(start_paused = true)]
async fn what_rots_is_moved_again_and_not_left_behind() {
    for (name, operation) in [("small", "put"), ("large", "commit")] {
        let mut stage = stage(&READABLE);
        stage.sink.fault(operation, name, [SinkFault::Rot]);
        let summary = stage.run().await;
        assert_eq!((summary.moved, summary.repaired), (3, 1), "{name}");
        stage.assert_identical();

        let mut stage = self::stage(&READABLE);
        stage.sink.fault(operation, name, vec![SinkFault::Rot; 9]);
        let summary = stage.run().await;
        assert_eq!((summary.moved, summary.failed, summary.repaired), (2, 1, 0), "{name}");
        assert!(stage.told().contains(&format!("failed {name} checksum-mismatch 4")));
        assert_eq!(stage.sink.bytes(name), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_hard_to_read_gets_nothing_sent_again() {
    for fault in
        [SourceFault::Fail(error(Code::UNAVAILABLE)), SourceFault::Break(0, error(Code::IO)), SourceFault::Fail(trap())]
    {
        for name in ["small", "large"] {
            let mut stage = stage(&READABLE);
            stage.sink.read_back.fault("read", name, [fault.clone()]);
            let summary = stage.run().await;
            assert_eq!((summary.moved, summary.retries), (3, 1));
            let sent: usize = lock(&stage.sink.arrivals).iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(sent, 25_010);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_be_read_is_refused() {
    let mut stage = stage(&SINK);
    let State::Failed(error) = stage.run().await.state else { panic!("it began") };
    assert_eq!(error.code, Code::UNSUPPORTED);
    assert!(stage.sink.log().is_empty());
}
