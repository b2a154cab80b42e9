//! What can't work is said once, clearly, without a secret and without a storm of requests.

use std::fs;

use crate::harness::{
    Ended, Scratch,
    seaweed::{READER_KEY, READER_SECRET, SECRET, Seaweed, end},
};

/// A run of one object into this end, with two attempts and without a past.
fn run(scratch: &Scratch, sink: &str) -> Ended {
    scratch.forget();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    let more = "[transfer]\nattempts = 2\nmax_backoff = \"100ms\"";
    scratch.run(&scratch.pipeline_between(&scratch.local("source"), sink, more))
}

/// Everything that was said.
fn said(ended: &Ended) -> String {
    format!("{}{}", ended.output, ended.errors)
}

#[test]
fn refusals_of_the_store_name_it_and_what_to_do() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let endpoint = server.endpoint();
    for (bucket, key, secret, words) in [
        ("archive", "culvert", "wrong-secret-51d2", ["SignatureDoesNotMatch", "check the access key"]),
        ("archive", "nobody", SECRET, ["InvalidAccessKeyId", "check the access key"]),
        ("archive", READER_KEY, READER_SECRET, ["AccessDenied", "check its policy"]),
        ("missing", "culvert", SECRET, ["NoSuchBucket", "create the bucket"]),
    ] {
        let ended = run(&scratch, &end(&endpoint, bucket, key, secret));
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

#[test]
fn a_server_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    for (endpoint, word) in
        [("http://127.0.0.1:9", "refused the connection"), ("http://no-such-host.invalid:9000", "no address was found")]
    {
        let ended = run(&scratch, &end(endpoint, "archive", "culvert", SECRET));
        let said = said(&ended);
        assert_ne!(ended.code, Some(0), "{said}");
        assert!(said.contains(word) && said.contains(endpoint), "{said}");
        assert!(!said.contains(SECRET), "the secret is in: {said}");
    }
}
