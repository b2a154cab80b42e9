//! A server as older Windows ones are: DOS listings, an account, Latin-1, no MLSD, a foreign address in
//! replies to PASV, XMD5 and XCRC for checksums.

use std::fs;

use super::{assert_carried, second_pipeline};
use crate::harness::{
    Scratch,
    ftp::{ACCOUNT, Kind, Server, Wishes},
    tree::Random,
};

fn serve(scratch: &Scratch) -> Server {
    let server = Server::start(scratch, Kind::Windows, Wishes::default());
    Random::seeded().fill(&server.path("tree"), [0, 1, 70_000, (11 << 20) + 1]);
    fs::create_dir_all(server.path("tree/a folder/  two")).unwrap();
    fs::write(server.path("tree/a folder/  two/  café <DIR> 1"), "x").unwrap();
    server
}

#[test]
fn dos_listings_come_and_go() {
    let scratch = Scratch::new();
    let server = serve(&scratch);
    for epsv in ["", "epsv = false\n"] {
        let keys = |below: &str| format!("{}{epsv}", server.keys(below));
        let down = scratch.pipeline_between(&keys("tree"), &scratch.local("here"), "");
        scratch.run(&down).expect_code(0);
        assert_carried(&server.path("tree"), &scratch.path("here"));
        let parts = "[transfer]\npart_size = \"5 MiB\"";
        let up = second_pipeline(&scratch, &scratch.local("here"), &keys("back"), parts);
        let run = scratch.run(&up);
        run.expect_code(0);
        assert_carried(&scratch.path("here"), &server.path("back"));
        let moved = run.events_named("moved");
        let graded = |by: &str| moved.iter().filter(|moved| moved["verified"] == by).count();
        assert_eq!((graded("md5"), graded("crc32")), (4, 1), "{}", run.output);
        fs::remove_dir_all(scratch.path("here")).unwrap();
        fs::remove_dir_all(server.path("back")).unwrap();
        scratch.forget();
    }
}

#[test]
fn an_account_that_is_missing_or_wrong_is_named_as_such() {
    let scratch = Scratch::new();
    let server = serve(&scratch);
    let without: Vec<_> =
        server.keys("tree").lines().filter(|it| !it.starts_with("account")).map(str::to_owned).collect();
    for (keys, says) in [
        (without.join("\n"), "write account in the table"),
        (server.keys("tree").replace(ACCOUNT, "wr0ng"), "check user, password and account"),
    ] {
        let run = scratch.run(&scratch.pipeline_between(&keys, &scratch.local("here"), ""));
        run.expect_code(3);
        let said = format!("{}{}", run.output, run.errors);
        assert!(said.contains("unauthenticated") && said.contains(says), "{said}");
        assert!(!said.contains("wr0ng") && !said.contains("secret_word"), "{said}");
    }
}
