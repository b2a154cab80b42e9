//! Ways to a server: TLS from the first byte, replies to PASV that name another address, names to look
//! up, an address to come from, connections that keep alive and that take credits.

use std::{fs, time::Duration};

use super::{assert_carried, second_pipeline};
use crate::harness::{
    Scratch,
    ftp::{ALL, Kind, Server, Wishes, proxy::Proxy},
    tree::Random,
};

const FILES: usize = 12;

fn serve(scratch: &Scratch, kind: Kind, wishes: Wishes) -> Server {
    let server = Server::start(scratch, kind, wishes);
    Random::seeded().fill(&server.path("tree"), vec![3000; FILES]);
    server.own();
    server
}

/// From the server and back to it, in one attempt each.
fn down_and_up(scratch: &Scratch, server: &Server, keys: impl Fn(&str) -> String) {
    let down = scratch.pipeline_between(&keys("tree"), &scratch.local("here"), "[transfer]\nworkers = 2");
    let run = scratch.run(&down);
    run.expect_code(0);
    assert_eq!(run.summary()["retries"], 0, "{}", run.output);
    assert_carried(&server.path("tree"), &scratch.path("here"));
    let up = second_pipeline(scratch, &scratch.local("here"), &keys("back"), "[transfer]\nworkers = 2");
    let run = scratch.run(&up);
    run.expect_code(0);
    assert_eq!(run.summary()["retries"], 0, "{}", run.output);
    assert_carried(&scratch.path("here"), &server.path("back"));
}

#[test]
fn tls_may_begin_with_the_first_byte() {
    for kind in [Kind::Vsftpd, Kind::Proftpd] {
        let scratch = Scratch::new();
        let server = serve(&scratch, kind, Wishes { tls: true, implicit: true, ..Wishes::default() });
        assert!(server.keys("").contains("ftps://"));
        down_and_up(&scratch, &server, |below| server.keys(below));
    }
}

#[test]
fn an_address_that_pasv_names_is_not_followed() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = serve(&scratch, kind, Wishes { masquerade: true, ..Wishes::default() });
        down_and_up(&scratch, &server, |below| format!("{}epsv = false\n", server.keys(below)));
    }
}

#[test]
fn a_name_is_looked_up() {
    let scratch = Scratch::new();
    let server = serve(&scratch, Kind::Proftpd, Wishes::default());
    down_and_up(&scratch, &server, |below| server.keys(below).replace("127.0.0.1", "localhost"));
}

#[test]
fn every_connection_comes_from_the_bound_address() {
    let scratch = Scratch::new();
    let server = serve(&scratch, Kind::Vsftpd, Wishes::default());
    let proxy = Proxy::start(server.port, None);
    down_and_up(&scratch, &server, |below| format!("{}bind = \"127.0.0.9\"\n", server.keys_at(proxy.port, below)));
    assert_eq!(proxy.clients(), ["127.0.0.9"]);
    let scratch = Scratch::new();
    let elsewhere = format!("{}bind = \"192.0.2.1\"\n", server.keys("tree"));
    let run = scratch.run(&scratch.pipeline_between(&elsewhere, &scratch.local("here"), ""));
    run.expect_code(3);
    assert!(run.errors.contains("invalid-config") || run.output.contains("invalid-config"), "{}", run.output);
}

#[test]
fn every_connection_takes_a_credit() {
    const PER_SECOND: u32 = 20;
    let scratch = Scratch::new();
    let server = serve(&scratch, Kind::Vsftpd, Wishes::default());
    let proxy = Proxy::start(server.port, None);
    let more = format!("[transfer]\nworkers = 4\n[tunnel]\nmax_requests_per_second = {PER_SECOND}");
    let keys = server.keys_at(proxy.port, "tree");
    let run = scratch.run(&scratch.pipeline_between(&keys, &scratch.local("here"), &more));
    run.expect_code(0);
    // Two folders and the files, each with a connection for its data.
    let connections = proxy.connections();
    assert!(connections as usize > FILES + 2, "{connections} connections");
    // One at once, and those that fall due within 10 ms of each other.
    let least = Duration::from_secs_f64(f64::from(connections - 2) / f64::from(PER_SECOND));
    assert!(run.took >= least, "{connections} connections within {:?}", run.took);
}

#[test]
fn connections_ask_whether_the_server_is_there() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Vsftpd, Wishes::default());
    Random::seeded().fill(&server.path("tree"), [40_000_000]);
    server.own();
    let more = "[transfer]\nworkers = 1\n[tunnel]\nmax_bandwidth = \"200 kB/s\"";
    let pipeline = scratch.pipeline_between(&server.keys("tree"), &scratch.local("here"), more);
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    // The kernel's timer 2 of an established connection is TCP's keepalive.
    while !has_keepalive(server.port) {
        assert!(running.ended().is_none(), "{}", running.printed());
        std::thread::sleep(Duration::from_millis(10));
    }
    running.kill();
}

/// Whether an established connection to this port has its keepalive timer running.
fn has_keepalive(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words[2].ends_with(&format!(":{port:04X}")) && words[3] == "01" && words[5].starts_with("02:")
    })
}
