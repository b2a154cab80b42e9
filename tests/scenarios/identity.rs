//! A tree arrives as it was: every kind of file, name, mode and time; and what can't arrive is
//! reported by its name.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt, fs::symlink, net::UnixListener},
    path::Path,
    time::{Duration, SystemTime},
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::harness::{
    Scratch,
    tree::{Random, Snapshot},
};

/// Names that are legal and awkward.
const NAMES: [&str; 16] = [
    "with space",
    " leading and trailing ",
    "quote\"s and 'these'",
    "new\nline",
    "tab\tand\u{7f}",
    "back\\slash",
    "-dash",
    ".hidden",
    "..three",
    "star*[a]?",
    "%41%",
    "umlaut-ü-and-u\u{308}",
    "日本語",
    "🚰",
    "$(reboot)",
    "#{x}",
];

fn odd_tree(root: &Path) {
    let mut random = Random::seeded();
    fs::create_dir_all(root).unwrap();
    for (number, name) in NAMES.iter().enumerate() {
        fs::write(root.join(name), random.bytes(number * 37)).unwrap();
        fs::create_dir(root.join(format!("{name}.d"))).unwrap();
        fs::write(root.join(format!("{name}.d")).join(name), name).unwrap();
    }
    fs::write(root.join("x".repeat(255)), "long").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::create_dir_all(root.join("nothing/in/here")).unwrap();
    let deep = root.join(vec!["d"; 60].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("deep"), "deep").unwrap();
    // As near to PATH_MAX as the test's own folder lets it be.
    let near = root.join(vec!["n".repeat(200); 15].join("/"));
    fs::create_dir_all(&near).unwrap();
    fs::write(near.join("near"), "near").unwrap();
    for (name, target) in [
        ("rel", "empty"),
        ("abs", "/etc/hostname"),
        ("dangling", "no/such/file"),
        ("out", "../../.."),
        ("dir", "nothing"),
    ] {
        symlink(target, root.join(format!("link-{name}"))).unwrap();
    }
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (3 << 20) - 3).unwrap();
    for mode in [0o600, 0o755, 0o400, 0o444, 0o4755, 0o2755, 0o1644, 0o000] {
        let path = root.join(format!("mode-{mode:o}"));
        fs::write(&path, "mode").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    times(root);
    fs::create_dir(root.join("read-only")).unwrap();
    fs::write(root.join("read-only/file"), "x").unwrap();
    fs::set_permissions(root.join("read-only"), fs::Permissions::from_mode(0o555)).unwrap();
}

/// Files and folders from before 1970, with nanoseconds, and far away.
fn times(root: &Path) {
    let epoch = SystemTime::UNIX_EPOCH;
    let times = [
        ("old", epoch - Duration::new(86_400 * 365, 250_000_000)),
        ("odd", epoch + Duration::new(1_234_567_890, 123_456_789)),
        ("far", epoch + Duration::from_secs(4_000_000_000)),
    ];
    for (name, time) in times {
        let (file, folder) = (root.join(format!("time-{name}")), root.join(format!("time-{name}.d")));
        fs::write(&file, name).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("content"), name).unwrap();
        for path in [file, folder] {
            fs::File::open(path).unwrap().set_modified(time).unwrap();
        }
    }
}

#[test]
fn an_odd_tree_arrives_as_it_is_and_stays_at_the_second_run() {
    for verify in ["checksum", "size"] {
        let scratch = Scratch::new();
        odd_tree(&scratch.path("source"));
        let before = Snapshot::of(&scratch.path("source"));
        let pipeline = scratch.pipeline(&format!("[transfer]\nverify = \"{verify}\"\nworkers = 4"));
        let first = scratch.run(&pipeline);
        first.expect_code(0);
        Snapshot::of(&scratch.path("sink")).assert_equals(&before);
        assert_eq!(first.objects("moved"), before.objects());
        let second = scratch.run(&pipeline);
        second.expect_code(0);
        assert_eq!((second.objects("moved"), second.objects("skipped")), (0, before.objects()));
        Snapshot::of(&scratch.path("source")).assert_equals(&before);
    }
}

#[test]
fn large_files_arrive_in_parts() {
    let scratch = Scratch::new();
    let mib = 1 << 20;
    Random::seeded().fill(&scratch.path("source"), [17 * mib, 17 * mib + 1, 10 * mib - 1, 5 * mib, 5 * mib + 1, 0]);
    let run = scratch.run(&scratch.pipeline("[transfer]\nworkers = 4\npart_size = \"5 MiB\""));
    run.expect_code(0);
    Snapshot::of(&scratch.path("sink")).assert_equals(&Snapshot::of(&scratch.path("source")));
    let graded = run.events_named("moved").iter().all(|event| event["verified"] == "crc64-nvme");
    assert!(graded, "{}", run.output);
}

#[test]
fn what_cannot_arrive_is_reported_by_name() {
    let scratch = Scratch::new();
    let source = scratch.path("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("good"), "good").unwrap();
    let foreign = OsStr::from_bytes(b"not-utf8-\xff");
    fs::write(source.join(foreign), "x").unwrap();
    mkfifo(&source.join("pipe"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(source.join("socket")).unwrap();
    let run = scratch.run(&scratch.pipeline(""));
    run.expect_code(2);
    assert_eq!(run.failures(), [("not-utf8-\u{fffd}".to_owned(), "invalid-key".to_owned())]);
    let mut skipped: Vec<_> = run.events_named("skipped").iter().map(|event| event["key"].to_string()).collect();
    skipped.sort();
    assert_eq!(skipped, ["\"pipe\"", "\"socket\""]);
    let expected = Snapshot::of(&source).without(&[foreign.to_owned(), "pipe".into(), "socket".into()]);
    Snapshot::of(&scratch.path("sink")).assert_equals(&expected);
}
