//! Where a bucket is: in front of the endpoint's name, or behind a domain of its own. The server plays
//! the proxy, so no name has to be known.

use std::fs;

use serde_json::json;

use crate::{
    harness::{
        Scratch,
        oss::{ACCESS_KEY, Oss, SECRET, end},
        store::Store,
    },
    s3::errors::said,
};

#[test]
fn virtual_hosts_and_domains_lead_to_their_buckets() {
    let scratch = Scratch::new();
    let server = Oss::start_with(&scratch, &["archive"], json!({"domains": {"files.example.com": "archive"}}));
    fs::create_dir_all(scratch.path("source")).unwrap();
    for (name, endpoint, more) in [
        ("virtual", "http://oss-cn-test.example.com", ""),
        ("domain", "http://files.example.com", "addressing = \"domain\""),
        ("path", "http://127.0.0.1:1", ""),
    ] {
        fs::write(scratch.path("source").join(name), name).unwrap();
        scratch.forget();
        let proxy = format!("proxy = \"{}\"", server.url());
        let sink = format!("{}\n{proxy}\n{more}", end(endpoint, "archive", ACCESS_KEY, SECRET));
        let ended = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &sink, ""));
        ended.expect_code(0);
        assert_eq!(ended.objects("moved"), 1, "{name}");
    }
    assert_eq!(server.ask_json(&["listed", "archive"]), json!(["domain", "path", "virtual"]));
}

#[test]
fn a_region_and_a_network_are_enough() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    for (network, host) in [
        ("", "https://oss-cn-test.aliyuncs.com"),
        ("network = \"public\"", "https://oss-cn-test.aliyuncs.com"),
        ("network = \"vpc\"", "https://oss-cn-test-internal.aliyuncs.com"),
        ("network = \"accelerate\"", "https://oss-accelerate.aliyuncs.com"),
    ] {
        let endpoint = end(host, "archive", ACCESS_KEY, SECRET);
        let without = endpoint.replace(&format!("endpoint = \"{host}\"\n"), "");
        assert_ne!(endpoint, without);
        // Nobody is there: it's said who isn't.
        let sink = format!("{without}\n{network}\nproxy = \"http://127.0.0.1:9\"");
        let more = "[transfer]\nattempts = 1";
        let ended = scratch.run(&scratch.pipeline_between(&scratch.local("source"), &sink, more));
        assert_ne!(ended.code, Some(0));
        assert!(said(&ended).contains(&host.replace("https://", "https://archive.")), "{}", said(&ended));
    }
}
