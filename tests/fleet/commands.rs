//! The same commands on a fleet as on one machine, and who may give them.

use std::{fs, path::Path};

use super::Fleet;
use crate::harness::{Scratch, nats::Nats, seaweed::make_certificate};

#[test]
fn what_one_machine_makes_another_sees() {
    let fleet = Fleet::new(Scratch::new());
    fleet.engine("a", &["tunnel", "create", "shared", "--max-bandwidth", "20 MiB/s"]).expect_code(0);
    let again = fleet.engine("b", &["tunnel", "create", "shared", "--max-bandwidth", "1 MiB/s"]);
    again.expect_code(1);
    assert!(again.errors.contains("already"), "{}", again.errors);
    fleet.engine("b", &["tunnel", "set", "shared", "--max-bandwidth", "5 MiB/s"]).expect_code(0);
    let shown = fleet.engine("a", &["tunnel", "list", "--json"]);
    assert!(shown.expect_code(0).output.contains("5242880"), "{}", shown.output);
    assert_eq!(fleet.scratch.engine(&["tunnel", "list", "--json"]).output.trim(), "[]", "this machine has none");

    fleet.engine("b", &["agent", "create", "mover", "--tunnel", "shared"]).expect_code(0);
    let refused = fleet.engine("a", &["tunnel", "delete", "shared"]);
    refused.expect_code(1);
    assert!(refused.errors.contains("mover"), "{}", refused.errors);
    let table = fleet.scratch.path("source.toml");
    fs::write(&table, fleet.scratch.local("source")).unwrap();
    fs::create_dir(fleet.scratch.path("source")).unwrap();
    fleet.engine("a", &["address", "create", "nas", "--role", "source", table.to_str().unwrap()]).expect_code(0);
    fleet.engine("b", &["address", "check", "nas"]).expect_code(0);
    fleet.engine("b", &["address", "delete", "nas"]).expect_code(0);
    assert_eq!(fleet.engine("a", &["address", "list", "--json"]).output.trim(), "[]");
    fleet.engine("a", &["agent", "delete", "mover"]).expect_code(0);
    fleet.engine("a", &["tunnel", "delete", "shared"]).expect_code(0);
    let made = fleet.engine("a", &["tunnel", "create", "shared", "--max-bandwidth", "1 MiB/s"]);
    made.expect_code(0);
}

#[test]
fn a_password_is_given_and_never_shown() {
    const PASSWORD: &str = "hunter2-0f1e";
    let scratch = Scratch::new();
    let nats = Nats::start_with(
        &scratch,
        &format!("authorization {{ users = [ {{ user: mover, password: \"{PASSWORD}\" }} ] }}"),
    );
    let url = nats.url();
    let engine = |more: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["tunnel", "list", "--fleet", &*url], more].concat();
        scratch.start_on("a", &arguments, variables).wait()
    };
    for (more, password) in [(vec![], PASSWORD), (vec!["--fleet-user", "mover"], "wrong-7a51")] {
        let ended = engine(&more, &[("CULVERT_FLEET_PASSWORD", password)]);
        ended.expect_code(3);
        assert!(ended.errors.contains("authorization"), "{}", ended.errors);
        assert!(!ended.errors.contains(password), "{}", ended.errors);
    }
    engine(&["--fleet-user", "mover"], &[]).expect_code(1);
    engine(&["--fleet-user", "mover"], &[("CULVERT_FLEET_PASSWORD", PASSWORD)]).expect_code(0);
    let file = scratch.path("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    engine(&["--fleet-user", "mover", "--fleet-password-file", file.to_str().unwrap()], &[]).expect_code(0);
    let in_url =
        scratch.start_on("a", &["tunnel", "list", "--fleet", "nats://mover:hunter2-0f1e@127.0.0.1"], &[]).wait();
    in_url.expect_code(1);
    assert!(!in_url.errors.contains(PASSWORD), "{}", in_url.errors);
}

#[test]
fn an_nkey_says_who_one_is() {
    // A pair made for this test, of which nobody else knows anything.
    const PUBLIC: &str = "UCZVTSVUIOJDYSLFIOUGXMZ4BXGCS53SJYIC2BTLMWI6345XUPFHJNZD";
    const SEED: &str = "SUAKVG6W64HHD3YDWBK777OL4QRMVYXF557JAIJDS4TNWBHUBLNPQQDFCI";
    let scratch = Scratch::new();
    let nats = Nats::start_with(&scratch, &format!("authorization {{ users = [ {{ nkey: {PUBLIC} }} ] }}"));
    let (right, wrong) = (scratch.path("right.nk"), scratch.path("wrong.nk"));
    fs::write(&right, format!("{SEED}\n")).unwrap();
    fs::write(&wrong, "not a seed: hunter2-0f1e").unwrap();
    let url = nats.url();
    let engine = |option: &str, file: &Path| {
        let arguments = ["tunnel", "list", "--fleet", &url, option, file.to_str().unwrap()];
        scratch.start_on("a", &arguments, &[]).wait()
    };
    engine("--fleet-nkey", &right).expect_code(0);
    engine("--fleet-nkey", &wrong).expect_code(3);
    for ended in [engine("--fleet-nkey", &wrong), engine("--fleet-credentials", &wrong)] {
        assert!(!ended.errors.contains("hunter2"), "{}", ended.errors);
    }
    engine("--fleet-credentials", &wrong).expect_code(1);
    scratch.start_on("a", &["tunnel", "list", "--fleet", &url], &[]).wait().expect_code(3);
}

#[test]
fn a_credentials_file_says_who_one_is() {
    let scratch = Scratch::new();
    // An operator's accounts; tests/fleet/accounts/make.py made both.
    let nats = Nats::start_with(&scratch, include_str!("accounts/nats.conf"));
    let file = scratch.path("mover.creds");
    fs::write(&file, include_str!("accounts/mover.creds")).unwrap();
    let url = nats.url();
    let arguments = ["tunnel", "list", "--fleet", &url, "--fleet-credentials", file.to_str().unwrap()];
    scratch.start_on("a", &arguments, &[]).wait().expect_code(0);
    scratch.start_on("a", &arguments[..4], &[]).wait().expect_code(3);
}

#[test]
fn tls_is_required_where_an_authority_is_named() {
    let scratch = Scratch::new();
    let (certificate, key) = (scratch.path("certificate.pem"), scratch.path("key.pem"));
    make_certificate(&certificate, &key);
    let tls = format!("tls {{ cert_file: \"{}\", key_file: \"{}\" }}", certificate.display(), key.display());
    let nats = Nats::start_with(&scratch, &tls);
    let url = nats.url();
    let authority = ["--fleet-ca", certificate.to_str().unwrap()];
    let engine = |more: &[&str]| {
        let arguments = [&["tunnel", "list", "--fleet", &*url], more].concat();
        scratch.start_on("a", &arguments, &[]).wait()
    };
    engine(&authority).expect_code(0);
    engine(&[]).expect_code(3);
    drop(nats);
    let plain = Nats::start(&scratch);
    let url = plain.url();
    let arguments = [&["tunnel", "list", "--fleet", &*url], &authority[..]].concat();
    scratch.start_on("a", &arguments, &[]).wait().expect_code(3);
}
