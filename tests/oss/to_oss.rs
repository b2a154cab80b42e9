//! From a bucket of S3 to OSS in one pass: what the source knows of its bytes and what the sink computes
//! are both compared.

use std::fs;

use serde_json::json;

use crate::harness::{Scratch, oss::Oss, seaweed::Seaweed, store::Store, tree::Random};

#[test]
fn the_checksums_of_source_and_sink_are_both_computed_in_one_pass() {
    let scratch = Scratch::new();
    let (source, sink) = (Seaweed::start(&scratch, &["archive"]), Oss::start(&scratch, &["archive"]));
    Random::seeded().fill(&scratch.path("source"), [6 << 20, 11 << 20]);
    // In parts, for which S3 computes the CRC-64/NVME of the whole object.
    let more = "[transfer]\npart_size = \"5 MiB\"";
    scratch.run(&scratch.pipeline_between(&scratch.local("source"), &source.bucket("archive"), more)).expect_code(0);
    scratch.forget();

    let more = "[transfer]\npart_size = \"64 MiB\"";
    let across = scratch.pipeline_between(&source.bucket("archive"), &sink.bucket("archive"), more);
    let ended = scratch.run(&across);
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 2);
    let manifest = scratch.engine(&["report", across.to_str().unwrap(), "--manifest", "--format", "csv"]).output;
    for (key, crc) in sink.ask_json(&["crcs", "archive"]).as_object().unwrap() {
        let row = manifest.lines().find(|row| row.starts_with(key)).unwrap_or_else(|| panic!("{key}: {manifest}"));
        assert!(row.contains("checksum:crc64-xz"), "{row}");
        // The source's was compared before the sink heard that the body was whole.
        assert!(row.contains("crc64-nvme:"), "{row}");
        assert!(row.contains(&format!("crc64-xz:{:016x}", crc.as_u64().unwrap())), "{row}");
    }
    let fetched = scratch.path("fetched");
    sink.ask(&["fetch", "archive", fetched.to_str().unwrap()]);
    for name in ["d000/f00000", "d000/f00001"] {
        assert!(fs::read(fetched.join(name)).unwrap() == fs::read(scratch.path("source").join(name)).unwrap());
    }
}

#[test]
fn the_md5_of_the_source_goes_along_for_the_service_to_compare() {
    let scratch = Scratch::new();
    let source = Seaweed::start(&scratch, &["archive"]);
    let sink = Oss::start_with(&scratch, &["archive"], json!({"wants_md5": true}));
    Random::seeded().fill(&scratch.path("source"), [0, 70_000]);
    source.ask(&["fill", "archive", scratch.path("source").to_str().unwrap()]);
    let across = scratch.pipeline_between(&source.bucket("archive"), &sink.bucket("archive"), "");
    let ended = scratch.run(&across);
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 2);
    // A folder's files have none that's known before they're read: the service refuses them.
    scratch.forget();
    let more = "[transfer]\nattempts = 1\noverwrite = \"always\"";
    let ended = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &sink.bucket("archive"), more));
    ended.expect_code(2);
    assert_eq!(ended.objects("failed"), 2);
}
