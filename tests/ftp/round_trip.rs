//! A tree comes from each server and goes to each server as it is, in clear and under TLS, with data
//! connections that must resume the control connection's session.

use std::fs;

use super::{assert_carried, carried, fill, second_pipeline};
use crate::harness::{
    Scratch,
    ftp::{ALL, Kind, Server, Wishes},
    seaweed::Seaweed,
    tree::Random,
};

fn down_and_up(kind: Kind, tls: bool, more: &str) {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, kind, Wishes { tls, ..Wishes::default() });
    fill(&server.path("there"), kind);
    server.own();
    let transfer = "[transfer]\nworkers = 3\n";

    let down = scratch.pipeline_between(&format!("{}{more}", server.keys("there")), &scratch.local("here"), transfer);
    let run = scratch.run(&down);
    run.expect_code(0);
    assert_carried(&server.path("there"), &scratch.path("here"));
    let again = scratch.run(&down);
    again.expect_code(0);
    assert_eq!(again.objects("moved"), 0, "{}", again.output);

    let sink = format!("{}{more}", server.keys("made/back"));
    let up = second_pipeline(&scratch, &scratch.local("here"), &sink, transfer);
    let run = scratch.run(&up);
    run.expect_code(0);
    // Each worker has uploaded more files than a server gives tickets with a control connection.
    assert_eq!(run.summary()["retries"], 0, "{}", run.output);
    assert_carried(&scratch.path("here"), &server.path("made/back"));
    if kind == Kind::Proftpd {
        let graded = run.events_named("moved").iter().filter(|event| event["verified"] == "sha256").count();
        assert!(graded > 20, "{}", run.output);
    }
    // What has changed since is replaced, the rest is left.
    fs::write(scratch.path("here/empty"), "no more").unwrap();
    let run = scratch.run(&up);
    run.expect_code(0);
    assert_eq!(run.objects("moved"), 1, "{}", run.output);
    assert_carried(&scratch.path("here"), &server.path("made/back"));
}

#[test]
fn vsftpd_in_clear() {
    down_and_up(Kind::Vsftpd, false, "");
}

#[test]
fn vsftpd_under_tls() {
    down_and_up(Kind::Vsftpd, true, "");
}

#[test]
fn vsftpd_under_tls_12() {
    down_and_up(Kind::Vsftpd, true, "tls_max = \"1.2\"\n");
}

#[test]
fn proftpd_in_clear() {
    down_and_up(Kind::Proftpd, false, "");
}

#[test]
fn proftpd_under_tls() {
    down_and_up(Kind::Proftpd, true, "");
}

#[test]
fn proftpd_under_tls_12() {
    down_and_up(Kind::Proftpd, true, "tls_max = \"1.2\"\n");
}

/// Whose tickets run out after two uploads: fresh ones come with a fresh control connection.
#[test]
fn proftpd_under_nothing_but_tls_13() {
    down_and_up(Kind::Proftpd, true, "tls_min = \"1.3\"\n");
}

#[test]
fn proftpd_without_mlsd_and_epsv() {
    down_and_up(Kind::Proftpd, false, "mlsd = false\nepsv = false\n");
}

#[test]
fn pure_ftpd_in_clear() {
    down_and_up(Kind::PureFtpd, false, "");
}

#[test]
fn pure_ftpd_under_tls() {
    down_and_up(Kind::PureFtpd, true, "");
}

#[test]
fn large_files_come_and_go() {
    let in_clear = ALL.map(|kind| (kind, false));
    for (kind, tls) in in_clear.into_iter().chain([(Kind::Proftpd, true)]) {
        let scratch = Scratch::in_memory();
        let server = Server::start(&scratch, kind, Wishes { tls, ..Wishes::default() });
        let mut random = Random::seeded();
        random.fill(&server.path("there"), [40 << 20, (33 << 20) + 1]);
        server.own();
        let transfer = "[transfer]\nworkers = 4\npart_size = \"8 MiB\"";
        let down = scratch.pipeline_between(&server.keys("there"), &scratch.local("here"), transfer);
        scratch.run(&down).expect_code(0);
        assert_carried(&server.path("there"), &scratch.path("here"));
        let up = second_pipeline(&scratch, &scratch.local("here"), &server.keys("back"), transfer);
        scratch.run(&up).expect_code(0);
        assert_carried(&scratch.path("here"), &server.path("back"));
    }
}

#[test]
fn files_go_into_a_bucket_and_back() {
    let scratch = Scratch::in_memory();
    let bucket = Seaweed::start(&scratch, &["archive"]);
    let server = Server::start(&scratch, Kind::PureFtpd, Wishes::default());
    Random::seeded().fill(&server.path("there"), [0, 1, 4096, 300_000, (11 << 20) + 3]);
    fs::write(server.path("there/ häßlich [1]*"), "x").unwrap();
    server.own();
    let transfer = "[transfer]\nworkers = 3\npart_size = \"5 MiB\"";
    let to = scratch.pipeline_between(&server.keys("there"), &bucket.end("archive"), transfer);
    scratch.run(&to).expect_code(0);
    let fetched = scratch.path("fetched");
    bucket.client(&["fetch", "archive", fetched.to_str().unwrap()]);
    // A bucket keeps no times.
    let bytes =
        |root: std::path::PathBuf| carried(&root).into_iter().map(|(path, bytes, _)| (path, bytes)).collect::<Vec<_>>();
    assert_eq!(bytes(server.path("there")), bytes(fetched));
    let back = second_pipeline(&scratch, &bucket.end("archive"), &server.keys("back"), transfer);
    scratch.run(&back).expect_code(0);
    assert_eq!(bytes(server.path("there")), bytes(server.path("back")));
}
