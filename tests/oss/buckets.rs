//! What every store with buckets must do, by the code that S3 is tested with.

use serde_json::json;

use crate::{
    harness::{
        Scratch,
        oss::{ACCESS_KEY, CONFINED_KEY, CONFINED_SECRET, Oss, SECRET, end},
    },
    s3::{copies, identity, listing, recovery, wire},
};

#[test]
fn a_tree_goes_into_a_bucket_and_comes_back() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    identity::goes_and_comes_back(&scratch, &server, identity::odd_tree, ["crc64-xz", "crc64-xz"]);
}

#[test]
fn what_another_client_put_comes_down_and_goes_on_to_another_bucket() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["one", "two"]);
    identity::goes_on(&scratch, &server, identity::odd_tree);
}

#[test]
fn nothing_is_overwritten_and_properties_are_set() {
    let scratch = Scratch::new();
    let server = Oss::start(&scratch, &["archive"]);
    identity::nothing_is_overwritten(&scratch, &server);
}

#[test]
fn pages_are_moved_as_they_come() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &["archive"]);
    listing::moves_pages(&scratch, &server);
}

#[test]
fn a_hundred_thousand_objects_take_no_more_memory_than_ten_thousand() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &[]);
    listing::lists_ahead(&scratch, &server, |endpoint, bucket| end(endpoint, bucket, ACCESS_KEY, SECRET));
}

#[test]
fn parts_that_the_store_has_are_not_sent_again() {
    let scratch = Scratch::in_memory();
    // Each part on a page of its own.
    let server = Oss::start_with(&scratch, &["archive"], json!({"page_parts": 1}));
    recovery::goes_on_with_an_upload(&scratch, &server);
}

#[test]
fn the_service_copies_and_no_byte_passes() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &["one", "two"]);
    copies::copies(&scratch, &server, "crc64-xz");
}

#[test]
fn where_the_key_may_not_read_the_source_the_bytes_pass() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &["one", "two"]);
    copies::sends_what_it_may_not_copy(&scratch, &server, |at| end(at, "two", CONFINED_KEY, CONFINED_SECRET));
}

#[test]
fn twenty_mebibytes_a_second_in_both_directions() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &["archive"]);
    // The server is a program in Python on the same machine: only the limit is held to.
    wire::keeps_to_its_bandwidth(&scratch, &server, 0.0);
}

#[test]
fn fifty_requests_a_second() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &["archive"]);
    wire::keeps_to_its_requests(&scratch, &server, 0.0);
}

#[test]
fn a_bad_network_costs_few_requests_and_no_byte() {
    let scratch = Scratch::in_memory();
    let server = Oss::start(&scratch, &["calm", "bad"]);
    wire::outlasts_a_bad_network(&scratch, &server);
}
