//! What can't work is said once, clearly, without a secret and without a storm of requests.

use std::fs;

use serde_json::json;

use crate::{
    harness::{
        Scratch,
        oss::{ACCESS_KEY, Oss, READER_KEY, READER_SECRET, SECRET, end},
        store::Store,
        wire::Wire,
    },
    s3::errors::{run, said},
};

#[test]
fn refusals_of_the_service_name_it_and_what_to_do() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    let wire = Wire::before(server.port());
    let endpoint = wire.endpoint();
    for (bucket, key, secret, words) in [
        ("archive", ACCESS_KEY, "wrong-secret-51d2", ["SignatureDoesNotMatch", "check the access key"]),
        ("archive", "nobody", SECRET, ["InvalidAccessKeyId", "check the access key"]),
        ("archive", READER_KEY, READER_SECRET, ["AccessDenied", "check its policy"]),
        ("missing", ACCESS_KEY, SECRET, ["NoSuchBucket", "create the bucket"]),
    ] {
        for version in ["v4", "v1"] {
            let before = wire.requests();
            let sink = format!("{}\nsignature_version = \"{version}\"", end(&endpoint, bucket, key, secret));
            let ended = run(&scratch, &sink);
            // What can't work isn't tried again.
            assert!(wire.requests() - before <= 5, "{} requests: {:?}", wire.requests() - before, wire.lines());
            let said = said(&ended);
            assert_ne!(ended.code, Some(0), "{said}");
            for word in words.iter().chain([&endpoint.as_str()]) {
                assert!(said.contains(word), "{word} isn't in: {said}");
            }
            assert!(!said.contains(secret), "the secret is in: {said}");
            let check = scratch.engine(&["check", scratch.path("pipeline.toml").to_str().unwrap()]);
            assert_ne!(check.code, Some(0), "{}", check.output);
        }
    }
}

#[test]
fn another_region_is_refused() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    let ended = run(&scratch, &server.bucket("archive").replace("cn-test", "cn-other"));
    assert_ne!(ended.code, Some(0));
    assert!(said(&ended).contains("Invalid signing region"), "{}", said(&ended));
}

#[test]
fn archived_objects_are_named_and_the_others_move() {
    let scratch = Scratch::new();
    let server = Oss::start_with(&scratch, &["archive"], json!({}));
    for (folder, command) in [("warm", "fill"), ("cold", "archive")] {
        let path = scratch.path(folder);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(folder), folder).unwrap();
        server.ask(&[command, "archive", path.to_str().unwrap()]);
    }
    let down = scratch.pipeline_between(&server.bucket("archive"), &scratch.local("sink"), "");
    let ended = scratch.run(&down);
    ended.expect_code(2);
    assert_eq!(ended.failures(), [("cold".to_owned(), "unsupported".to_owned())]);
    assert!(ended.output.contains("restore it first"), "{}", ended.output);
    assert_eq!(fs::read(scratch.path("sink/warm")).unwrap(), b"warm");
    let report = scratch.engine(&["report", down.to_str().unwrap(), "--failed", "--format", "csv"]);
    assert!(report.output.contains("cold") && report.output.contains("archived"), "{}", report.output);
}
