//! Objects arrive byte by byte as they were, in both directions, filled and inspected by another
//! client than the connector under test.

use std::{fs, path::Path};

use crate::harness::{
    Scratch,
    s3s::S3s,
    seaweed::Seaweed,
    store::Store,
    tree::{Item, Random, Snapshot},
};

/// Keys that are legal and awkward; SeaweedFS keeps all of them.
const NAMES: [&str; 14] = [
    "with space",
    " leading and trailing ",
    "quote\"s and 'these' <&>",
    "tab\tand",
    "plus+percent%41",
    "-dash",
    ".hidden",
    "..three",
    "star*[a]?",
    "umlaut-ü-and-u\u{308}",
    "日本語",
    "🚰",
    "#{x}=&y;z",
    "a@b:c,d~e",
];

pub(crate) fn odd_tree(root: &Path) {
    tree_of(root, |_| true);
}

/// What s3s-fs can list: it announces keys in URL form and then writes them as they are.
fn tree_without_escapes(root: &Path) {
    tree_of(root, |name| !name.contains(['+', '%']));
}

fn tree_of(root: &Path, fits: fn(&str) -> bool) {
    let mut random = Random::seeded();
    for (number, name) in NAMES.iter().enumerate().filter(|(_, name)| fits(name)) {
        let folder = root.join(format!("{name}.d"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(root.join(name), random.bytes(number * 37)).unwrap();
        fs::write(folder.join(name), random.bytes(70_000 + number)).unwrap();
    }
    // By their bytes these are in another order than folder by folder.
    for name in ["b/1", "b.txt", "b-2/x", "b!"] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    // One chunk, one byte more and less, and several parts with an odd rest.
    for size in [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 21 << 20 | 0x1235] {
        fs::write(root.join(format!("size-{size}")), random.bytes(size)).unwrap();
    }
}

/// Bytes by name: a bucket keeps nothing else.
fn contents(root: &Path) -> Vec<(String, Vec<u8>)> {
    let snapshot = Snapshot::of(root);
    let files = snapshot.items().iter().filter_map(|(name, item)| match item {
        Item::File { bytes, .. } => Some((name.to_str().unwrap().to_owned(), bytes.clone())),
        _ => None,
    });
    files.collect()
}

pub(crate) fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (contents(left), contents(right));
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right));
    for ((name, left), (_, right)) in left.iter().zip(&right) {
        assert!(left == right, "{name} differs: {} and {} bytes", left.len(), right.len());
    }
}

#[test]
fn a_tree_goes_into_a_bucket_and_comes_back() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    goes_and_comes_back(&scratch, &server, odd_tree, ["md5", "crc64-nvme"]);
}

/// Up, up again, down. `by` is what proves objects that go as a whole, and those that go in parts.
pub(crate) fn goes_and_comes_back(scratch: &Scratch, server: &dyn Store, tree: fn(&Path), by: [&str; 2]) {
    let source = scratch.path("source");
    tree(&source);
    let count = contents(&source).len() as u64;
    let sink = format!("{}\nprefix = \"nas/\"", server.bucket("archive"));

    let up = scratch.pipeline_between(&scratch.local("source"), &sink, "[transfer]\npart_size = \"5 MiB\"");
    let run = scratch.run(&up);
    run.expect_code(0);
    assert_eq!(run.objects("moved"), count);
    // The store's own figures.
    for moved in run.events_named("moved") {
        let by = if moved["bytes"].as_u64().unwrap() > 5 << 20 { by[1] } else { by[0] };
        assert_eq!(moved["verified"], by, "{moved}");
    }
    let fetched = scratch.path("fetched");
    server.ask(&["fetch", "archive", fetched.to_str().unwrap(), "nas/"]);
    assert_same(&source, &fetched);
    assert!(server.uploads("archive").is_empty());

    // Nothing has changed, so nothing moves.
    let again = scratch.run(&up);
    again.expect_code(0);
    assert_eq!(again.objects("moved"), 0);

    scratch.forget();
    let down = scratch.pipeline_between(&sink, &scratch.local("sink"), "[transfer]\npart_size = \"5 MiB\"");
    scratch.run(&down).expect_code(0);
    assert_same(&source, &scratch.path("sink"));
}

#[test]
fn a_tree_goes_into_a_bucket_of_s3s_and_comes_back() {
    let scratch = Scratch::new();
    let server = S3s::start(&scratch, &["archive"]);
    goes_and_comes_back(&scratch, &server, tree_without_escapes, ["md5", "size"]);
}

#[test]
fn what_another_client_put_comes_down_and_goes_on_to_another_bucket() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["one", "two"]);
    goes_on(&scratch, &server, odd_tree);
}

#[test]
fn what_another_client_put_at_s3s_comes_down_and_goes_on_to_another_bucket() {
    let scratch = Scratch::new();
    let server = S3s::start(&scratch, &["one", "two"]);
    goes_on(&scratch, &server, tree_without_escapes);
}

/// Filled by another client, to another bucket by bytes, from there down.
pub(crate) fn goes_on(scratch: &Scratch, server: &dyn Store, tree: fn(&Path)) {
    let source = scratch.path("source");
    tree(&source);
    server.ask(&["fill", "one", source.to_str().unwrap()]);
    let more = "[transfer]\nserver_side_copy = false";
    let across = scratch.pipeline_between(&server.bucket("one"), &server.bucket("two"), more);
    scratch.run(&across).expect_code(0);
    let fetched = scratch.path("fetched");
    server.ask(&["fetch", "two", fetched.to_str().unwrap()]);
    assert_same(&source, &fetched);
    scratch.forget();
    let down = scratch.pipeline_between(&server.bucket("two"), &scratch.local("sink"), "");
    scratch.run(&down).expect_code(0);
    assert_same(&source, &scratch.path("sink"));
}

#[test]
fn nothing_is_overwritten_and_properties_are_set() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    nothing_is_overwritten(&scratch, &server);
    assert_eq!(server.json(&["tags", "archive", "b.txt"]), serde_json::json!({"team": "a b"}));
}

#[test]
fn nothing_is_overwritten_at_s3s_and_properties_are_set() {
    let scratch = Scratch::new();
    let server = S3s::start(&scratch, &["archive"]);
    nothing_is_overwritten(&scratch, &server);
}

pub(crate) fn nothing_is_overwritten(scratch: &Scratch, server: &dyn Store) {
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a.txt"), "new").unwrap();
    fs::write(scratch.path("source/b.txt"), "new").unwrap();
    fs::create_dir_all(scratch.path("old")).unwrap();
    fs::write(scratch.path("old/a.txt"), "old").unwrap();
    server.ask(&["fill", "archive", scratch.path("old").to_str().unwrap()]);
    let sink = format!(
        "{}\ncontent_type = \"text/x-culvert\"\ntags = {{ team = \"a b\" }}\nmetadata = {{ origin = \"nas\" }}",
        server.bucket("archive")
    );
    let pipeline = scratch.pipeline_between(&scratch.local("source"), &sink, "[transfer]\noverwrite = \"never\"");
    let run = scratch.run(&pipeline);
    run.expect_code(0);
    assert_eq!((run.objects("moved"), run.objects("skipped")), (1, 1));
    let fetched = scratch.path("fetched");
    server.ask(&["fetch", "archive", fetched.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(fetched.join("a.txt")).unwrap(), "old");
    let head = server.ask_json(&["head", "archive", "b.txt"]);
    assert_eq!(head["content_type"], "text/x-culvert");
    assert_eq!(head["metadata"], serde_json::json!({"origin": "nas"}));
}
