//! What OSS has beside bytes: properties, symlinks, CRCs, markers of folders, older signatures.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;

use crate::harness::{
    Scratch,
    oss::{ACCESS_KEY, Oss, SECRET, end},
    store::Store,
    tree::Random,
};

#[test]
fn crcs_are_those_of_the_service_in_one_piece_and_in_parts() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    Random::seeded().fill(&scratch.path("source"), [0, 1, 70_000, 12 << 20]);
    let more = "[transfer]\npart_size = \"5 MiB\"";
    let ended = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &server.bucket("archive"), more));
    ended.expect_code(0);
    let connector = server.ask_json(&["crcs", "archive"]);
    // The SDK puts the same in one piece each.
    server.ask(&["fill", "archive", scratch.path("source").to_str().unwrap()]);
    assert_eq!(server.ask_json(&["crcs", "archive"]), connector);
    assert_eq!(connector.as_object().unwrap().len(), 4);
}

#[test]
fn properties_are_those_of_the_sink_in_one_piece_and_in_parts() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    Random::seeded().fill(&scratch.path("source"), [1000, 6 << 20]);
    let sink = format!(
        "{}\nstorage_class = \"IA\"\nacl = \"private\"\nencryption = \"AES256\"\ncontent_type = \"text/x-c\"\n\
         traffic_limit = 838860800\ntags = {{ team = \"a b\" }}\nmetadata = {{ Origin = \"nas\" }}",
        server.bucket("archive")
    );
    let more = "[transfer]\npart_size = \"5 MiB\"";
    scratch.run(&scratch.pipeline_between(&scratch.local("source"), &sink, more)).expect_code(0);
    for (key, size) in [("d000/f00000", 1000), ("d000/f00001", 6 << 20)] {
        let expected = json!({
            "size": size, "content_type": "text/x-c", "metadata": {"origin": "nas"}, "tags": {"team": "a b"},
            "storage_class": "IA", "encryption": "AES256", "acl": "private",
        });
        assert_eq!(server.ask_json(&["head", "archive", key]), expected);
    }
}

#[test]
fn symlinks_keep_their_targets_both_ways() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    let source = scratch.path("source");
    fs::create_dir_all(source.join("a/b")).unwrap();
    fs::write(source.join("a/ü x"), "target").unwrap();
    symlink("../ü x", source.join("a/b/link")).unwrap();
    symlink("/etc/hostname", source.join("out")).unwrap();
    symlink("../../../away", source.join("a/b/up")).unwrap();
    let sink = format!("{}\nprefix = \"nas/\"", server.bucket("archive"));
    let up = scratch.pipeline_between(&scratch.local("source"), &sink, "");
    let ended = scratch.run(&up);
    ended.expect_code(2);
    let refused = |key: &str| (key.to_owned(), "unsupported".to_owned());
    let mut failures = ended.failures();
    failures.sort();
    assert_eq!(failures, [refused("a/b/up"), refused("out")]);
    assert_eq!(server.ask_json(&["listed", "archive"]), json!(["nas/a/b/link", "nas/a/ü x"]));
    assert_eq!(server.ask_json(&["target", "archive", "nas/a/b/link"]), "nas/a/ü x");

    scratch.forget();
    scratch.run(&scratch.pipeline_between(&sink, &scratch.local("sink"), "")).expect_code(0);
    assert_eq!(fs::read_link(scratch.path("sink/a/b/link")).unwrap().to_str(), Some("../ü x"));

    scratch.forget();
    let following = format!("{sink}\nsymlinks = \"follow\"");
    scratch.run(&scratch.pipeline_between(&following, &scratch.local("followed"), "")).expect_code(0);
    assert!(!scratch.path("followed/a/b/link").is_symlink());
    assert_eq!(fs::read(scratch.path("followed/a/b/link")).unwrap(), b"target");

    // One that points outside of the prefix stays where it is, and the rest moves.
    server.ask(&["symlink", "archive", "nas/away", "other/x"]);
    scratch.forget();
    let ended = scratch.run(&scratch.pipeline_between(&sink, &scratch.local("kept"), ""));
    ended.expect_code(2);
    assert_eq!(ended.failures(), [refused("away")]);
    assert_eq!(fs::read_link(scratch.path("kept/a/b/link")).unwrap().to_str(), Some("../ü x"));
}

#[test]
fn version_1_signatures_do_all_that_version_4_does() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    let source = scratch.path("source");
    fs::create_dir_all(source.join("ü +%")).unwrap();
    fs::write(source.join("ü +%/a b&c=d"), "odd").unwrap();
    Random::seeded().fill(&source, [1000, 6 << 20]);
    let old = format!("{}\nsignature_version = \"v1\"", end(&server.url(), "archive", ACCESS_KEY, SECRET));
    let more = "[transfer]\npart_size = \"5 MiB\"";
    let ended = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &old, more));
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 3);
    scratch.forget();
    let ended = scratch.run(&scratch.pipeline_between(&old, &scratch.local("sink"), more));
    ended.expect_code(0);
    assert_eq!(fs::read(scratch.path("sink/ü +%/a b&c=d")).unwrap(), b"odd");
    assert_eq!(ended.objects("moved"), 3);
}
