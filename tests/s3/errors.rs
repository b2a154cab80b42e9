//! What can't work is said once, clearly, without a secret and without a storm of requests.

use std::fs;

use crate::harness::{
    Ended, Scratch,
    seaweed::{ACCESS_KEY, READER_KEY, READER_SECRET, SECRET, Seaweed, end},
    store::Store,
    wire::{Canned, Wire},
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

/// What only a large provider says, said by the proxy to every request.
/// What the proxy says instead of the server to a request line, if anything.
type Answer = fn(&str) -> Option<Canned>;

#[test]
fn refusals_that_the_server_never_makes_name_it_and_what_to_do() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let expired = |_: &str| Some(Canned::error(400, "ExpiredToken", "The provided token has expired."));
    let malformed = |_: &str| {
        let words = "the region 'us-east-1' is wrong; expecting 'eu-west-1'";
        Some(Canned::error(400, "AuthorizationHeaderMalformed", words))
    };
    let elsewhere = |_: &str| {
        let redirect = Canned::error(301, "PermanentRedirect", "The bucket must be addressed using another endpoint.");
        Some(Canned { headers: "x-amz-bucket-region: eu-west-1\r\n", ..redirect })
    };
    let skewed = |_: &str| Some(Canned::error(403, "RequestTimeTooSkewed", "The difference is too large."));
    let cases: [(Answer, [&str; 2]); 4] = [
        (expired, ["ExpiredToken", "get a new one"]),
        (malformed, ["AuthorizationHeaderMalformed", "set region to the bucket's"]),
        (elsewhere, ["eu-west-1", "set endpoint and region to its own"]),
        (skewed, ["RequestTimeTooSkewed", "set this machine's clock"]),
    ];
    for (answers, words) in cases {
        let wire = Wire::answering(server.port(), answers);
        let ended = run(&scratch, &end(&wire.endpoint(), "archive", ACCESS_KEY, SECRET));
        assert!(wire.requests() <= 6, "{} requests: {:?}", wire.requests(), wire.lines());
        let said = said(&ended);
        assert_ne!(ended.code, Some(0), "{said}");
        for word in words.iter().chain([&wire.endpoint().as_str()]) {
            assert!(said.contains(word), "{word} isn't in: {said}");
        }
        assert!(!said.contains(SECRET), "the secret is in: {said}");
    }
}

#[test]
fn an_archived_object_fails_alone() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    for name in ["filled/cold", "filled/warm"] {
        let path = scratch.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    server.client(&["fill", "archive", scratch.path("filled").to_str().unwrap()]);
    let wire = Wire::answering(server.port(), |line| {
        let words = "The operation is not valid for the object's storage class";
        line.starts_with("GET /archive/cold").then(|| Canned::error(403, "InvalidObjectState", words))
    });
    let bucket = end(&wire.endpoint(), "archive", ACCESS_KEY, SECRET);
    let ended = scratch.run(&scratch.pipeline_between(&bucket, &scratch.local("sink"), ""));
    ended.expect_code(2);
    assert_eq!(ended.failures(), [("cold".to_owned(), "unsupported".to_owned())]);
    assert!(ended.output.contains("restore it first"), "{}", ended.output);
    assert_eq!(fs::read_to_string(scratch.path("sink/warm")).unwrap(), "filled/warm");
}

/// What takes long is answered before its end is known: with a status that says nothing.
#[test]
fn an_error_in_an_answer_with_status_200_is_one() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive", "other"]);
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/large"), vec![7; 11 << 20]).unwrap();
    let wire = Wire::answering(server.port(), |head| {
        let is_completion = head.starts_with("POST ") && head.contains("uploadId=");
        let is_copy = head.starts_with("PUT ") && head.contains("\r\nx-amz-copy-source: ");
        let words = "We encountered an internal error. Please try again.";
        (is_completion || is_copy).then(|| Canned::error(200, "InternalError", words))
    });
    let more = "[transfer]\nattempts = 2\nmax_backoff = \"100ms\"\npart_size = \"5 MiB\"";
    let archive = server.end_at(&wire.endpoint(), "archive");
    let uploaded = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &archive, more));
    uploaded.expect_code(2);
    assert_eq!(uploaded.failures(), [("large".to_owned(), "unavailable".to_owned())]);
    assert!(uploaded.output.contains("InternalError"), "{}", uploaded.output);
    assert_eq!(server.json(&["listed", "archive"]), serde_json::json!([]));

    server.client(&["put", "archive", "small", "small"]);
    scratch.forget();
    let other = server.end_at(&wire.endpoint(), "other");
    let copied = scratch.run(&scratch.pipeline_between(&archive, &other, more));
    copied.expect_code(2);
    assert_eq!(copied.failures(), [("small".to_owned(), "unavailable".to_owned())]);
    assert_eq!(server.json(&["listed", "other"]), serde_json::json!([]));
}
