//! Compression, held against Debian's `zstd`.

use std::fs;

use super::{COMPRESS, DECOMPRESS, assert_comes_back, assert_reads, fill, pipeline};
use crate::harness::{Scratch, age::zstd, tree::Snapshot};

#[test]
fn what_is_compressed_is_what_zstd_reads() {
    let scratch = Scratch::in_memory();
    fill(&scratch.path("source"));
    let path = pipeline(&scratch, "source", "sink", COMPRESS);
    let ended = scratch.run(&path);
    ended.expect_code(0);
    assert_reads(&scratch, ".zst", |bytes| zstd(&["-d"], bytes));
    // 20 MiB of zeros and 3 MB of text, beside 5.3 MB of random bytes.
    assert!(ended.summary()["bytes"]["moved"].as_u64().unwrap() < 6_000_000, "{}", ended.summary());
    let again = scratch.run(&path);
    again.expect_code(0);
    assert_eq!((again.objects("moved"), again.objects("skipped")), (0, ended.objects("listed")));
    // Without a journal, what's there is known by its time.
    scratch.forget();
    assert_eq!(scratch.run(&path).objects("moved"), 0);
    assert_comes_back(&scratch, DECOMPRESS);
}

#[test]
fn what_zstd_compressed_is_read_at_any_level() {
    let scratch = Scratch::in_memory();
    fill(&scratch.path("original"));
    let text = fs::read(scratch.path("original/deep/er/text")).unwrap();
    let random = fs::read(scratch.path("original/deep/random-3000000")).unwrap();
    fs::create_dir(scratch.path("source")).unwrap();
    fs::create_dir(scratch.path("expected")).unwrap();
    let levels =
        [&["-1"][..], &["-19"], &["--ultra", "-22"], &["--long=27"], &["--no-check"], &["--format=zstd", "-3"]];
    for (number, level) in levels.iter().enumerate() {
        for (name, bytes) in [("text", &text), ("random", &random)] {
            let packed = zstd(level, bytes).unwrap();
            fs::write(scratch.path(&format!("source/{name}-{number}.zst")), packed).unwrap();
            fs::write(scratch.path(&format!("expected/{name}-{number}")), bytes).unwrap();
        }
    }
    // Frames one behind the other, with one of somebody else's between them.
    let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frames = [&zstd(&[], &text).unwrap()[..], &skipped, &zstd(&[], b"").unwrap(), &zstd(&[], b"end").unwrap()];
    fs::write(scratch.path("source/frames.zst"), frames.concat()).unwrap();
    fs::write(scratch.path("expected/frames"), [&text[..], b"end"].concat()).unwrap();
    scratch.run(&pipeline(&scratch, "source", "sink", DECOMPRESS)).expect_code(0);
    let bytes = |folder: &str| {
        let items = Snapshot::of(&scratch.path(folder)).items().keys().cloned().collect::<Vec<_>>();
        items
            .into_iter()
            .map(|name| (name.clone(), fs::read(scratch.path(folder).join(name)).unwrap()))
            .collect::<Vec<_>>()
    };
    assert!(bytes("sink") == bytes("expected"));
}

#[test]
fn what_is_no_frame_fails_and_leaves_nothing() {
    let scratch = Scratch::in_memory();
    fs::create_dir(scratch.path("source")).unwrap();
    let whole = zstd(&[], &b"some text that is worth a frame ".repeat(10_000)).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("text", b"plain text".to_vec()),
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("header", whole[..5].to_vec()),
        ("flipped", flipped),
        ("trailing", [&whole[..], b"more"].concat()),
    ] {
        fs::write(scratch.path(&format!("source/{name}.zst")), bytes).unwrap();
    }
    fs::write(scratch.path("source/readme.txt"), "not packed at all").unwrap();
    let ended = scratch.run(&pipeline(&scratch, "source", "sink", DECOMPRESS));
    ended.expect_code(2);
    let mut codes = ended.failures();
    codes.sort();
    let corrupt =
        ["cut", "empty", "flipped", "header", "text", "trailing"].map(|name| (name.to_owned(), "corrupt".to_owned()));
    let mut expected = corrupt.to_vec();
    expected.push(("readme.txt".to_owned(), "invalid-key".to_owned()));
    expected.sort();
    assert_eq!(codes, expected);
    assert!(Snapshot::of(&scratch.path("sink")).items().is_empty());
    // What isn't packed can be left out.
    let select = format!("{DECOMPRESS}[select]\ninclude = [\"cut.zst\"]");
    assert_eq!(scratch.run(&pipeline(&scratch, "source", "sink", &select)).failures().len(), 1);
}
