//! The server that the other tests lean on is itself held to account, by the official SDKs.

use serde_json::json;

use crate::harness::{Scratch, oss::Oss};

#[test]
fn the_official_sdks_find_what_they_expect() {
    let scratch = Scratch::in_memory();
    let server = Oss::start_with(&scratch, &["new-style", "old-style"], json!({}));
    assert_eq!(server.script("account.py", &[]), "accounted for\n");
}
