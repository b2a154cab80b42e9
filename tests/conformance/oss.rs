//! Buckets on the tests' own OSS server, which checks both kinds of signatures.

use super::{assert_conforms, suite, tables};
use crate::harness::{
    Scratch,
    oss::{ACCESS_KEY, Oss, end},
    store::Store,
};

/// As with S3; listings are flat.
pub(crate) const NOT: &[&str] = &[
    "batch-put",
    "batch-put-never",
    "batch-put-wrong-checksum",
    "batch-read",
    "batch-read-changed",
    "batch-read-missing",
    "directories",
    "directories-full",
    "modified",
    "sweep-keeps",
    "sweep-leaves-others",
    "sweep-removes-own",
];

#[test]
fn a_bucket_conforms_with_both_signatures() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["one"]);
    for version in ["v4", "v1"] {
        let with = |secret: &str| {
            let end = end(&server.url(), "one", ACCESS_KEY, secret);
            format!("{end}\nsignature_version = \"{version}\"")
        };
        let end = format!("{}\nsignature_version = \"{version}\"", server.bucket("one"));
        let both = tables(&scratch, "both.toml", Some(&end), Some(&end));
        let wrong = with("not-the-secret");
        let denied = tables(&scratch, "denied.toml", Some(&wrong), Some(&wrong));
        let ended = suite(&scratch, "oss", &both, &["--denied", &denied]);
        assert_conforms(&ended, &[NOT]);
        assert!(server.uploads("one").is_empty(), "uploads were left: {:?}", server.uploads("one"));
    }
}
