//! What an object is to be kept as is said to the store with the object, in one request or when its
//! upload begins: seen on the wire, whatever this store makes of it.

use std::fs;

use crate::harness::{Scratch, seaweed::Seaweed, store::Store, tree::Random, wire::Wire};

/// A part, as the pipeline has it.
const PART: usize = 5 << 20;
/// What says how an object is kept: the request with its bytes, or the one that begins its upload.
const BEGINNINGS: [&str; 2] = ["PUT /archive/small ", "POST /archive/large?uploads"];

#[test]
fn class_access_metadata_and_tags_are_sent() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    two_files(&scratch);
    // In an order that needs sorting before it's signed; the server checks every signature.
    let wire = Wire::before(server.port());
    let sink = format!(
        "{}\nstorage_class = \"STANDARD_IA\"\nacl = \"bucket-owner-full-control\"\n\
         content_type = \"image/tiff\"\ntags = {{ team = \"a b\", zone = \"1&2\" }}\n\
         metadata = {{ origin = \"nas  two\", Batch = \"7\" }}",
        server.end_at(&wire.endpoint(), "archive")
    );
    let more = format!("[transfer]\npart_size = \"{PART} B\"");
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &sink, &more));
    run.expect_code(0);
    assert_eq!(run.objects("moved"), 2);
    for begin in BEGINNINGS {
        assert_sent(
            &wire,
            begin,
            &[
                "content-type: image/tiff",
                "x-amz-storage-class: STANDARD_IA",
                "x-amz-acl: bucket-owner-full-control",
                "x-amz-tagging: team=a%20b&zone=1%262",
                "x-amz-meta-origin: nas  two",
                "x-amz-meta-batch: 7",
            ],
        );
    }
    for key in ["small", "large"] {
        assert_eq!(server.json(&["tags", "archive", key]), serde_json::json!({"team": "a b", "zone": "1&2"}));
        let head = server.json(&["head", "archive", key]);
        assert_eq!(head["content_type"], "image/tiff");
    }
}

/// This server keeps no keys and refuses; what it was asked for is on the wire.
#[test]
fn encryption_is_asked_for() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    two_files(&scratch);
    let wire = Wire::before(server.port());
    let sink = format!(
        "{}\nencryption = \"aws:kms\"\nkms_key_id = \"alias/archive\"",
        server.end_at(&wire.endpoint(), "archive")
    );
    let more = format!("[transfer]\npart_size = \"{PART} B\"\nattempts = 1");
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &sink, &more));
    run.expect_code(2);
    for begin in BEGINNINGS {
        assert_sent(
            &wire,
            begin,
            &["x-amz-server-side-encryption: aws:kms", "x-amz-server-side-encryption-aws-kms-key-id: alias/archive"],
        );
    }
}

/// One that goes as a whole and one that goes in parts.
fn two_files(scratch: &Scratch) {
    fs::create_dir_all(scratch.path("source")).unwrap();
    let mut random = Random::seeded();
    fs::write(scratch.path("source/small"), random.bytes(10)).unwrap();
    fs::write(scratch.path("source/large"), random.bytes(PART + 1)).unwrap();
}

/// One request began like this, and it had these headers.
fn assert_sent(wire: &Wire, begin: &str, headers: &[&str]) {
    let heads: Vec<_> = wire.heads().into_iter().filter(|(_, head)| head.starts_with(begin)).collect();
    assert_eq!(heads.len(), 1, "{begin}: {:?}", wire.lines());
    for header in headers {
        assert!(heads[0].1.contains(&format!("\r\n{header}\r\n")), "{header} isn't in: {}", heads[0].1);
    }
}
