//! Encryption, held against Debian's `age`.

use std::fs;

use super::{COMPRESS, DECOMPRESS, assert_comes_back, assert_reads, fill, pipeline};
use crate::harness::{
    Scratch,
    age::{Key, zstd},
    tree::Snapshot,
};

#[test]
fn what_is_encrypted_is_what_age_reads() {
    let scratch = Scratch::in_memory();
    let (key, other) = (Key::generate(&scratch, "key"), Key::generate(&scratch, "other"));
    fill(&scratch.path("source"));
    let both = format!(
        "[[transform]]\nconnector = \"age\"\nmode = \"encrypt\"\nrecipients = [\"{}\", \"{}\"]\n",
        key.recipient, other.recipient
    );
    let path = pipeline(&scratch, "source", "sink", &both);
    scratch.run(&path).expect_code(0);
    assert_reads(&scratch, ".age", |bytes| key.decrypt(bytes));
    assert_reads(&scratch, ".age", |bytes| other.decrypt(bytes));
    let again = scratch.run(&path);
    assert_eq!((again.code, again.objects("moved")), (Some(0), 0));
    let verified = scratch.engine(&["verify", "--reread", "--source", path.to_str().unwrap()]);
    verified.expect_code(0);
    assert_comes_back(&scratch, &other.decrypting());
}

#[test]
fn what_age_encrypted_is_read() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    fill(&scratch.path("original"));
    let original = Snapshot::of(&scratch.path("original"));
    let mut files = 0;
    for name in original.items().keys() {
        let path = scratch.path("original").join(name);
        if fs::symlink_metadata(&path).unwrap().is_file() {
            let mut encrypted = scratch.path("source").join(name).into_os_string();
            encrypted.push(".age");
            fs::create_dir_all(std::path::Path::new(&encrypted).parent().unwrap()).unwrap();
            fs::write(encrypted, key.encrypt(&fs::read(path).unwrap())).unwrap();
            files += 1;
        }
    }
    let ended = scratch.run(&pipeline(&scratch, "source", "sink", &key.decrypting()));
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), files);
    for name in original.items().keys() {
        let path = scratch.path("original").join(name);
        if fs::symlink_metadata(&path).unwrap().is_file() {
            assert!(fs::read(&path).unwrap() == fs::read(scratch.path("sink").join(name)).unwrap(), "{name:?}");
        }
    }
}

#[test]
fn compressed_then_encrypted_and_back() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    fill(&scratch.path("source"));
    let ended = scratch.run(&pipeline(&scratch, "source", "sink", &format!("{COMPRESS}{}", key.encrypting())));
    ended.expect_code(0);
    assert_reads(&scratch, ".zst.age", |bytes| zstd(&["-d"], &key.decrypt(bytes)?));
    assert_comes_back(&scratch, &format!("{}{DECOMPRESS}", key.decrypting()));
}

#[test]
fn a_passphrase_is_enough() {
    let scratch = Scratch::in_memory();
    fs::create_dir(scratch.path("source")).unwrap();
    for name in ["a", "b"] {
        fs::write(scratch.path("source").join(name), name.repeat(100_000)).unwrap();
    }
    // As an editor leaves it.
    fs::write(scratch.path("phrase"), "correct horse battery staple\n").unwrap();
    fs::write(scratch.path("wrong"), "incorrect horse").unwrap();
    let table = |mode: &str, file: &str| {
        let file = scratch.path(file);
        let more = if mode == "encrypt" { "work_factor = 10\n" } else { "" };
        format!(
            "[[transform]]\nconnector = \"age\"\nmode = \"{mode}\"\n{more}passphrase = {{ file = \"{}\" }}\n",
            file.display()
        )
    };
    scratch.run(&pipeline(&scratch, "source", "sink", &table("encrypt", "phrase"))).expect_code(0);
    let stored = fs::read(scratch.path("sink/a.age")).unwrap();
    let header = String::from_utf8_lossy(&stored[..100]).into_owned();
    assert!(header.starts_with("age-encryption.org/v1\n-> scrypt ") && header.contains(" 10\n"), "{header}");
    // Debian's takes passphrases from a terminal alone.
    let typed = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/harness/terminal.py"))
        .args(["correct horse battery staple\n", "assphrase"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/age/usr/bin/age"))
        .args(["-d", "-o"])
        .args([scratch.path("typed"), scratch.path("sink/a.age")])
        .status();
    assert!(typed.unwrap().success());
    assert!(fs::read(scratch.path("typed")).unwrap() == fs::read(scratch.path("source/a")).unwrap());

    let wrong = scratch.run(&pipeline(&scratch, "sink", "back", &table("decrypt", "wrong")));
    wrong.expect_code(2);
    assert!(wrong.failures().iter().all(|(_, code)| code == "unauthenticated"), "{:?}", wrong.failures());
    assert_comes_back(&scratch, &table("decrypt", "phrase"));
    assert!(!wrong.output.contains("incorrect horse") && !wrong.errors.contains("incorrect horse"));
}

#[test]
fn a_wrong_identity_is_told_and_leaves_nothing() {
    let scratch = Scratch::in_memory();
    let (key, other) = (Key::generate(&scratch, "key"), Key::generate(&scratch, "other"));
    fill(&scratch.path("source"));
    scratch.run(&pipeline(&scratch, "source", "sink", &key.encrypting())).expect_code(0);
    let ended = scratch.run(&pipeline(&scratch, "sink", "back", &other.decrypting()));
    ended.expect_code(2);
    let failures = ended.failures();
    assert!(failures.len() == 12 && failures.iter().all(|(_, code)| code == "unauthenticated"), "{failures:?}");
    let files = Snapshot::of(&scratch.path("back"));
    assert!(!files.items().values().any(|item| matches!(item, crate::harness::tree::Item::File { .. })));
}

#[test]
fn a_ciphertext_that_was_changed_is_refused() {
    let scratch = Scratch::in_memory();
    let key = Key::generate(&scratch, "key");
    fs::create_dir_all(scratch.path("source")).unwrap();
    let whole = key.encrypt(&vec![5; 400_000]);
    let change = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let piece = 64 * 1024 + 16;
    let payload = whole.len() - (400_000 + 7 * 16);
    let swapped = [
        &whole[..payload],
        &whole[payload + piece..payload + 2 * piece],
        &whole[payload..payload + piece],
        &whole[payload + 2 * piece..],
    ];
    for (name, bytes) in [
        ("first", change(payload + 10)),
        ("middle", change(200_000)),
        ("last", change(whole.len() - 1)),
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("cut-at-a-piece", whole[..payload + 2 * piece].to_vec()),
        ("longer", [&whole[..], b"x"].concat()),
        ("swapped", swapped.concat()),
        ("empty", Vec::new()),
        ("text", b"hello".to_vec()),
    ] {
        fs::write(scratch.path(&format!("source/{name}.age")), bytes).unwrap();
    }
    let ended = scratch.run(&pipeline(&scratch, "source", "sink", &key.decrypting()));
    ended.expect_code(2);
    let failures = ended.failures();
    assert!(failures.len() == 9 && failures.iter().all(|(_, code)| code == "corrupt"), "{failures:?}");
    assert!(Snapshot::of(&scratch.path("sink")).items().is_empty(), "nothing of it is left");
}
