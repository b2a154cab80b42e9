//! What can't work is said once, clearly, without a secret and without a storm of requests.

use std::fs;

use crate::harness::{
    Ended, Scratch,
    seaweed::{ACCESS_KEY, READER_KEY, READER_SECRET, SECRET, Seaweed, end},
    wire::Wire,
};

/// A run of one object into this end, with two attempts and without a past.
pub(crate) fn run(scratch: &Scratch, sink: &str) -> Ended {
    scratch.forget();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    let more = "[transfer]\nattempts = 2\nmax_backoff = \"100ms\"";
    scratch.run(&scratch.pipeline_between(&scratch.local("source"), sink, more))
}

/// Everything that was said.
pub(crate) fn said(ended: &Ended) -> String {
    format!("{}{}", ended.output, ended.errors)
}

#[test]
fn refusals_of_the_store_name_it_and_what_to_do() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let wire = Wire::before(server.port());
    let endpoint = wire.endpoint();
    for (bucket, key, secret, words) in [
        ("archive", "culvert", "wrong-secret-51d2", ["SignatureDoesNotMatch", "check the access key"]),
        ("archive", "nobody", SECRET, ["InvalidAccessKeyId", "check the access key"]),
        ("archive", READER_KEY, READER_SECRET, ["AccessDenied", "check its policy"]),
        ("missing", "culvert", SECRET, ["NoSuchBucket", "create the bucket"]),
    ] {
        let before = wire.requests();
        let ended = run(&scratch, &end(&endpoint, bucket, key, secret));
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

#[test]
fn a_certificate_has_to_be_trusted() {
    let scratch = Scratch::new();
    let server = Seaweed::start_with_tls(&scratch, &["archive"]);
    let endpoint = server.tls_endpoint();
    let sink = end(&endpoint, "archive", ACCESS_KEY, SECRET);
    let refused = run(&scratch, &sink);
    let said = said(&refused);
    assert_ne!(refused.code, Some(0), "{said}");
    assert!(said.contains("isn't trusted") && said.contains("ca_file") && said.contains(&endpoint), "{said}");
    let trusting = format!("{sink}\nca_file = \"{}\"", scratch.path("certificate.pem").display());
    run(&scratch, &trusting).expect_code(0);
    assert_eq!(server.json(&["listed", "archive"]), serde_json::json!(["a"]));
    // A name that the certificate isn't for.
    let other = trusting.replace("127.0.0.1", "localhost");
    assert_ne!(run(&scratch, &other).code, Some(0));
}
