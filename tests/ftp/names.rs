//! Names that aren't UTF-8, that could end a command, that are hidden or that lead elsewhere.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::PathBuf,
};

use super::second_pipeline;
use crate::harness::{
    Scratch,
    ftp::{ALL, Kind, Server, Wishes},
};

/// "café" as servers of the west wrote it.
const CAFE: &[u8] = b"caf\xe9";

fn raw(server: &Server, name: &[u8]) -> PathBuf {
    server.path("").join(OsStr::from_bytes(name))
}

#[test]
fn latin_1_comes_and_goes() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        fs::create_dir_all(raw(&server, CAFE)).unwrap();
        fs::write(raw(&server, CAFE).join(OsStr::from_bytes(CAFE)), "x").unwrap();
        server.own();
        let keys = |below: &str| format!("{}encoding = \"latin-1\"\n", server.keys(below));
        scratch.run(&scratch.pipeline_between(&keys(""), &scratch.local("here"), "")).expect_code(0);
        assert_eq!(fs::read(scratch.path("here/café/café")).unwrap(), b"x", "{kind:?}");
        let up = second_pipeline(&scratch, &scratch.local("here"), &keys("back"), "");
        scratch.run(&up).expect_code(0);
        let back = server.path("back").join(OsStr::from_bytes(CAFE)).join(OsStr::from_bytes(CAFE));
        assert_eq!(fs::read(back).unwrap(), b"x", "{kind:?}");
    }
}

#[test]
fn a_name_that_the_encoding_cannot_say_is_reported() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        fs::write(raw(&server, CAFE), "x").unwrap();
        fs::write(server.path("good"), "x").unwrap();
        server.own();
        let run = scratch.run(&scratch.pipeline_between(&server.keys(""), &scratch.local("here"), ""));
        run.expect_code(2);
        assert_eq!(run.failures(), [("caf\u{fffd}".to_owned(), "invalid-key".to_owned())], "{kind:?}");
        assert!(scratch.path("here/good").exists());
        fs::create_dir(scratch.path("there")).unwrap();
        fs::write(scratch.path("there/€"), "x").unwrap();
        let sink = format!("{}encoding = \"latin-1\"\n", server.keys(""));
        let run = scratch.run(&second_pipeline(&scratch, &scratch.local("there"), &sink, ""));
        run.expect_code(2);
        assert_eq!(run.failures(), [("€".to_owned(), "invalid-key".to_owned())], "{kind:?}");
    }
}

/// Beside a file that a command in a name would delete.
#[test]
fn a_name_that_would_end_a_command_never_reaches_the_server() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        fs::write(server.path("victim"), "x").unwrap();
        server.own();
        let here = scratch.path("here");
        fs::create_dir(&here).unwrap();
        let names = ["a\nDELE victim", "a\rDELE victim", "a\r\nDELE victim", "a\r\n"];
        names.iter().for_each(|name| fs::write(here.join(name), "x").unwrap());
        fs::create_dir(here.join("d\r\nDELE victim")).unwrap();
        fs::write(here.join("good"), "x").unwrap();
        let run = scratch.run(&scratch.pipeline_between(&scratch.local("here"), &server.keys(""), ""));
        run.expect_code(2);
        let failures = run.failures();
        assert_eq!(failures.len(), names.len() + 1, "{kind:?}: {failures:?}");
        assert!(failures.iter().all(|(_, code)| code == "invalid-key"), "{kind:?}: {failures:?}");
        let mut there: Vec<_> = fs::read_dir(server.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["good", "victim"], "{kind:?}");
    }
}

#[test]
fn hidden_files_can_be_left_out() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Vsftpd, Wishes::default());
    fs::write(server.path(".hidden"), "x").unwrap();
    fs::write(server.path("seen"), "x").unwrap();
    server.own();
    let source = format!("{}hidden = false\n", server.keys(""));
    let run = scratch.run(&scratch.pipeline_between(&source, &scratch.local("here"), ""));
    run.expect_code(0);
    assert!(scratch.path("here/seen").exists() && !scratch.path("here/.hidden").exists());
}

#[test]
fn links_are_kept_or_followed() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        fs::create_dir(server.path("folder")).unwrap();
        fs::write(server.path("file"), "content").unwrap();
        symlink("file", server.path("link")).unwrap();
        symlink("folder", server.path("way")).unwrap();
        server.own();
        // With LIST, where every server shows links as such.
        let source = |symlinks: &str| format!("{}mlsd = false\nsymlinks = \"{symlinks}\"\n", server.keys(""));
        let kept = scratch.pipeline_between(&source("keep"), &scratch.local("kept"), "");
        scratch.run(&kept).expect_code(0);
        assert_eq!(fs::read_link(scratch.path("kept/link")).unwrap().as_os_str(), "file", "{kind:?}");
        assert_eq!(fs::read_link(scratch.path("kept/way")).unwrap().as_os_str(), "folder", "{kind:?}");
        let followed = second_pipeline(&scratch, &source("follow"), &scratch.local("followed"), "");
        scratch.run(&followed).expect_code(0);
        let link = scratch.path("followed/link");
        assert!(!link.is_symlink() && fs::read(link).unwrap() == b"content", "{kind:?}");
        assert!(scratch.path("followed/way").is_symlink(), "{kind:?}: a folder behind a link isn't entered");
    }
}

/// Links aren't what an FTP server can be told to make: reported, and the run goes on.
#[test]
fn links_that_go_up_are_reported() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Proftpd, Wishes::default());
    fs::create_dir(scratch.path("here")).unwrap();
    fs::write(scratch.path("here/file"), "x").unwrap();
    symlink("file", scratch.path("here/link")).unwrap();
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("here"), &server.keys(""), ""));
    assert_eq!(run.objects("moved"), 1, "{}", run.output);
    assert_eq!(run.objects("skipped") + run.objects("failed"), 1, "{}", run.output);
}
