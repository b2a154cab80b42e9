//! Ways not to get in: each ends the run at once, with its own code, a sentence to act on and no
//! secret.

use crate::harness::{
    Scratch,
    ftp::{Kind, Server, Wishes, free_port},
};

fn refused(scratch: &Scratch, source: &str) -> String {
    let pipeline = scratch.pipeline_between(source, &scratch.local("here"), "[transfer]\nattempts = 2");
    let run = scratch.engine(&["run", pipeline.to_str().unwrap()]);
    run.expect_code(3);
    let said = format!("{}{}", run.output, run.errors);
    assert!(!said.contains("wr0ng") && !said.contains("secret_word"), "{said}");
    said
}

#[test]
fn a_wrong_password_is_named_as_such() {
    for kind in [Kind::Vsftpd, Kind::Proftpd, Kind::PureFtpd] {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        let said = refused(&scratch, &server.keys("").replace("secret_word", "wr0ng"));
        assert!(said.contains("unauthenticated") && said.contains("check user, password"), "{kind:?}: {said}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named_as_such() {
    let scratch = Scratch::new();
    let source = format!("connector = \"ftp\"\nendpoint = \"ftp://127.0.0.1:{}\"", free_port());
    let said = refused(&scratch, &source);
    assert!(said.contains("connection-failed") && said.contains("refused"), "{said}");
    let scratch = Scratch::new();
    let said = refused(&scratch, "connector = \"ftp\"\nendpoint = \"ftp://no-such-host.invalid\"");
    assert!(said.contains("connection-failed") && said.contains("no-such-host.invalid"), "{said}");
}

#[test]
fn a_certificate_of_a_stranger_is_refused() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Vsftpd, Wishes { tls: true, ..Wishes::default() });
    let keys = server.keys("");
    let stranger: Vec<_> = keys.lines().filter(|line| !line.starts_with("tls_ca")).collect();
    let said = refused(&scratch, &stranger.join("\n"));
    assert!(said.contains("certificate"), "{said}");
    let trusting = format!("{}\ninsecure_skip_verify = true", stranger.join("\n"));
    let scratch = Scratch::new();
    let pipeline = scratch.pipeline_between(&trusting, &scratch.local("here"), "");
    scratch.run(&pipeline).expect_code(0);
}

#[test]
fn a_server_in_clear_is_not_spoken_to_in_cipher() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Vsftpd, Wishes::default());
    let said = refused(&scratch, &server.keys("").replace("ftp://", "ftpes://"));
    assert!(said.contains("doesn't begin TLS"), "{said}");
}

#[test]
fn a_server_that_wants_cipher_says_so_in_clear() {
    for kind in [Kind::Vsftpd, Kind::Proftpd, Kind::PureFtpd] {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes { tls: true, ..Wishes::default() });
        let said = refused(&scratch, &server.keys("").replace("ftpes://", "ftp://"));
        assert!(said.contains("unsupported") && said.contains("write ftpes://"), "{kind:?}: {said}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_as_such() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::PureFtpd, Wishes::default());
    let said = refused(&scratch, &server.keys("no/such/folder"));
    assert!(said.contains("not-found"), "{said}");
}

#[test]
fn a_name_that_the_server_prohibits_is_reported() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::PureFtpd, Wishes::default());
    std::fs::write(server.path("back\\slash"), "x").unwrap();
    std::fs::write(server.path("good"), "x").unwrap();
    server.own();
    let run = scratch.run(&scratch.pipeline_between(&server.keys(""), &scratch.local("here"), ""));
    run.expect_code(2);
    assert_eq!(run.failures(), [("back\\slash".to_owned(), "invalid-key".to_owned())]);
    assert_eq!(std::fs::read(scratch.path("here/good")).unwrap(), b"x");
}

#[test]
fn a_name_that_the_server_changes_is_reported() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::PureFtpd, Wishes::default());
    std::fs::create_dir(scratch.path("here")).unwrap();
    std::fs::write(scratch.path("here/trailing "), "x").unwrap();
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("here"), &server.keys(""), ""));
    run.expect_code(2);
    assert_eq!(run.failures(), [("trailing ".to_owned(), "invalid-key".to_owned())]);
}

#[test]
fn a_folder_that_the_server_refuses_to_make_is_reported() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Proftpd, Wishes::default());
    std::fs::create_dir_all(scratch.path("here/star*")).unwrap();
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("here"), &server.keys(""), ""));
    run.expect_code(2);
    assert_eq!(run.failures().len(), 1);
    assert_eq!(run.failures()[0].0, "star*");
}
