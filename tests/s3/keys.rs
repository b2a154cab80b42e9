//! Odd keys are moved as they are or reported, and what belongs to an object beside its bytes goes with
//! it. Keys that no file has come from a listing that the proxy makes up.

use std::fs;

use crate::harness::{
    Scratch,
    seaweed::Seaweed,
    store::Store,
    wire::{Canned, Wire},
};

/// In the order of their bytes. Those that can't be moved are in the middle.
const LISTED: [&str; 8] =
    ["%2Fleading", "a%2F%2Fb", "a%2F.%2Fb", "a%2F..%2Fb", "a%FFb", "folder%2F", "full%2F", "good+one"];

fn listing(line: &str) -> Option<Canned> {
    if !line.starts_with("GET /odd") || !line.contains("list-type=2") {
        return None;
    }
    let objects = LISTED.iter().map(|key| {
        let size = if *key == "full%2F" { 3 } else { 0 };
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{size}</Size></Contents>"
        )
    });
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>odd</Name><EncodingType>url</EncodingType>\
         <IsTruncated>false</IsTruncated>{}</ListBucketResult>",
        objects.collect::<String>()
    );
    Some(Canned { status: 200, headers: "", body })
}

#[test]
fn odd_keys_are_moved_as_they_are_or_reported() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["odd"]);
    server.client(&["put", "odd", "good one", ""]);
    let wire = Wire::answering(server.port(), listing);
    let bucket = server.end_at(&wire.endpoint(), "odd");
    let run = scratch.run(&scratch.pipeline_between(&bucket, &scratch.local("sink"), ""));
    run.expect_code(2);
    let mut failed = run.failures();
    failed.sort();
    let names = ["/leading", "a/../b", "a/./b", "a//b", "a\u{fffd}b", "full/"];
    let expected: Vec<_> = names.iter().map(|name| ((*name).to_owned(), "invalid-key".to_owned())).collect();
    assert_eq!(failed, expected);
    assert_eq!(run.objects("moved"), 2);
    assert!(scratch.path("sink/good one").is_file() && scratch.path("sink/folder").is_dir());
}

#[test]
fn folders_become_markers_where_that_is_asked_for() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["plain", "marked"]);
    fs::create_dir_all(scratch.path("source/empty")).unwrap();
    fs::create_dir_all(scratch.path("source/full")).unwrap();
    fs::write(scratch.path("source/full/a"), "a").unwrap();
    let plain = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &server.end("plain"), ""));
    plain.expect_code(0);
    assert_eq!((plain.objects("moved"), plain.objects("skipped")), (1, 1));
    assert_eq!(server.json(&["listed", "plain"]), serde_json::json!(["full/a"]));

    scratch.forget();
    let marked = format!("{}\ndirectory_markers = true", server.end("marked"));
    let pipeline = scratch.pipeline_between(&scratch.local("source"), &marked, "");
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!(run.objects("skipped"), 0);
    let listed = server.json(&["listed", "marked"]);
    assert!(listed.as_array().unwrap().contains(&serde_json::json!("empty/")), "{listed}");
    // They come back as folders.
    scratch.forget();
    scratch.run(&scratch.pipeline_between(&server.end("marked"), &scratch.local("sink"), "")).expect_code(0);
    assert!(scratch.path("sink/empty").is_dir() && scratch.path("sink/full/a").is_file());
}

#[test]
fn type_and_metadata_of_large_and_small_objects_are_kept() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["one", "two"]);
    let text = "x".repeat(100);
    server.client(&["put", "one", "small", &text, "text/x-small"]);
    fs::create_dir_all(scratch.path("large")).unwrap();
    fs::write(scratch.path("large/large"), vec![7; 6 << 20]).unwrap();
    server.client(&["fill", "one", scratch.path("large").to_str().unwrap(), "", "text/x-large"]);
    let more = "[transfer]\npart_size = \"5 MiB\"\nserver_side_copy = false";
    scratch.run(&scratch.pipeline_between(&server.end("one"), &server.end("two"), more)).expect_code(0);
    for (key, kind) in [("small", "text/x-small"), ("large", "text/x-large")] {
        let head = server.json(&["head", "two", key]);
        assert_eq!(head["content_type"], kind, "{head}");
        assert_eq!(head["metadata"]["origin"], "boto", "{head}");
    }
}
