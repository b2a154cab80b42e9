//! vsftpd, ProFTPD and Pure-FTPd, in clear and under TLS.

use std::fs;

use super::{assert_conforms, suite, tables};
use crate::harness::{
    Scratch,
    ftp::{Kind, PASSWORD, Server, Wishes},
};

/// Files are listed by folder in the server's order, come one by one, and are told without checksums;
/// a mode isn't taken.
const NOT: &[&str] = &[
    "attributes",
    "batch-put",
    "batch-put-never",
    "batch-put-wrong-checksum",
    "batch-read",
    "batch-read-changed",
    "batch-read-missing",
    "listing-after",
    "listing-ordered",
    "read-checksums",
    "symlinks",
    "upload-out-of-order",
    "upload-parts-told",
];
/// A server without checksums.
const NO_CHECKSUMS: &[&str] = &["put-checksums", "put-wrong-checksum", "upload-checksums", "upload-wrong-checksum"];
fn conforms(kind: Kind, tls: bool, not: &[&str]) {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, kind, Wishes { tls, ..Wishes::default() });
    let keys = server.keys("store");
    fs::create_dir(server.path("store")).unwrap();
    server.own();
    let both = tables(&scratch, "both.toml", Some(&keys), Some(&keys));
    let wrong = keys.replace(PASSWORD, "not-the-password");
    let denied = tables(&scratch, "denied.toml", Some(&wrong), Some(&wrong));
    let ended = suite(&scratch, "ftp", &both, &["--denied", &denied]);
    assert_conforms(&ended, &[NOT, not]);
    assert_eq!(fs::read_dir(server.path("store")).unwrap().count(), 0, "something was left");
}

#[test]
fn vsftpd_conforms() {
    conforms(Kind::Vsftpd, false, NO_CHECKSUMS);
}

#[test]
fn vsftpd_conforms_under_tls() {
    conforms(Kind::Vsftpd, true, NO_CHECKSUMS);
}

#[test]
fn proftpd_conforms() {
    conforms(Kind::Proftpd, false, &[]);
}

#[test]
fn proftpd_conforms_under_tls() {
    conforms(Kind::Proftpd, true, &[]);
}

#[test]
fn pure_ftpd_conforms() {
    conforms(Kind::PureFtpd, false, NO_CHECKSUMS);
}

#[test]
fn pure_ftpd_conforms_under_tls() {
    conforms(Kind::PureFtpd, true, NO_CHECKSUMS);
}
