//! Lists: inline, from a file, from a URL, in a column of an inventory; and redirects, only to servers that
//! are granted.

use std::fs;

use super::{bytes, put, source};
use crate::{
    harness::{Ended, Scratch, nginx::Nginx},
    kit::files,
};

fn run(scratch: &Scratch, keys: &str) -> Ended {
    scratch.forget();
    let pipeline = scratch.pipeline_between(&source(keys), &scratch.local("sink"), "[transfer]\nattempts = 1");
    scratch.run(&pipeline)
}

#[test]
fn a_list_can_be_inline_in_a_file_and_at_a_url() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    put(&server, "x/one.bin", &bytes(100_000, 1));
    put(&server, "x/two words.bin", &bytes(10, 2));
    put(&server, "not-listed.bin", b"no");
    let urls = [server.url("x/one.bin"), server.url("x/two%20words.bin")];
    let granted = format!("servers = [{:?}]", server.url(""));
    let expected: Vec<_> = [("one.bin", bytes(100_000, 1)), ("two words.bin", bytes(10, 2))]
        .into_iter()
        .map(|(name, bytes)| (name.into(), bytes))
        .collect();

    fs::write(scratch.path("urls.txt"), format!("# objects\n{}\r\n\n{}\n", urls[0], urls[1])).unwrap();
    put(&server, "urls.txt", format!("{}\n{}", urls[0], urls[1]).as_bytes());
    for keys in [
        format!("urls = {urls:?}\n{granted}"),
        format!("list = {{ file = {:?} }}\n{granted}", scratch.path("urls.txt")),
        format!("list_url = \"{}\"", server.url("urls.txt")),
    ] {
        let ended = run(&scratch, &keys);
        ended.expect_code(0);
        let sink = scratch.path("sink");
        let moved: Vec<_> = files(&sink.join(server.host()).join("x")).into_iter().collect();
        assert_eq!((moved, ended.objects("moved")), (expected.clone(), 2), "{keys}");
        fs::remove_dir_all(sink).unwrap();
    }
}

#[test]
fn an_inventory_has_its_keys_in_a_column() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    let mut inventory = "bucket,key,size\n".to_owned();
    for number in 0..500_u16 {
        put(&server, &format!("data/deep {}/{number}.bin", number % 7), &number.to_be_bytes());
        inventory.push_str(&format!("archive,\"deep%20{}/{number}.bin\",2\n", number % 7));
    }
    inventory.push_str("archive,deep%200/gone.bin,2\n");
    put(&server, "inventory.csv", inventory.as_bytes());
    let keys =
        format!("list_url = \"{}\"\ncolumn = \"key\"\nbase = \"{}\"", server.url("inventory.csv"), server.url("data/"));
    let ended = run(&scratch, &keys);
    ended.expect_code(2);
    assert_eq!((ended.objects("moved"), ended.objects("failed")), (500, 1));
    assert_eq!(ended.failures(), [("deep 0/gone.bin".to_owned(), "not-found".to_owned())]);
    assert!(files(&server.path("data")) == files(&scratch.path("sink")));
    let lists = server.requests().iter().filter(|it| it.contains("/inventory.csv 200")).count();
    assert_eq!(lists, 1);
}

#[test]
fn a_redirect_leads_to_granted_servers_alone() {
    let scratch = Scratch::new();
    let other = Nginx::start(&scratch, "other", "http://127.0.0.1:1/");
    put(&other, "a.bin", &bytes(50_000, 3));
    let server = Nginx::start(&scratch, "nginx", &other.url(""));
    let urls = format!("urls = [{:?}]", server.url("to/a.bin"));

    let ended = run(&scratch, &format!("{urls}\nservers = [{:?}]", server.url("")));
    ended.expect_code(2);
    assert_eq!(ended.failures()[0].1, "permission-denied");
    let failed = &ended.events_named("failed")[0];
    assert!(failed["message"].as_str().unwrap().contains("name it in servers"), "{failed}");
    assert_eq!(other.requests(), Vec::<String>::new(), "a server that isn't granted was reached");

    run(&scratch, &format!("{urls}\nservers = [{:?}, {:?}]", server.url(""), other.url(""))).expect_code(0);
    let sink = scratch.path("sink").join(server.host()).join("to/a.bin");
    assert_eq!(fs::read(sink).unwrap(), bytes(50_000, 3));
}

#[test]
fn what_cant_be_a_key_is_reported_by_name() {
    let scratch = Scratch::new();
    let server = Nginx::start(&scratch, "nginx", "http://127.0.0.1:1/");
    put(&server, "a.bin", b"a");
    let urls =
        [server.url("a.bin"), server.url("a.bin?signature=hunter2"), server.url("x/../a.bin"), "a.bin".to_owned()];
    let ended = run(&scratch, &format!("urls = {urls:?}\nservers = [{:?}]", server.url("")));
    ended.expect_code(2);
    assert_eq!((ended.objects("moved"), ended.objects("failed")), (1, 3));
    assert!(ended.failures().iter().all(|(_, code)| code == "invalid-key"));
}
