//! Going on where a transfer stopped: large files come and go in parts behind `REST`, a run that was
//! killed doesn't send again what the server has, and what changed meanwhile starts over.

use std::{fs, time::Instant};

use super::assert_carried;
use crate::harness::{
    Scratch,
    ftp::{
        ALL, Kind, Server, Wishes,
        proxy::{Cut, Proxy, Transfer},
    },
    tree::Random,
};

/// Ten parts of the least size that a pipeline can ask for, and a bit.
const BYTES: usize = 10 * PART + 1;
const PART: usize = 5 << 20;
const RULES: &str = "[transfer]\nworkers = 2\npart_size = \"5 MiB\"\n";

/// Runs until the server has some parts, and is killed then.
fn kill_half_way(scratch: &Scratch, server: &Server, pipeline: &std::path::Path) {
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    let begin = Instant::now();
    // Three parts are on the disk, so two are in the journal, or will be in 100 ms.
    while uploaded(server) < 4 * PART as u64 {
        assert!(running.ended().is_none(), "{}", running.printed());
        assert!(begin.elapsed().as_secs() < 60, "{} bytes after a minute", uploaded(server));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.kill();
}

/// Bytes of the temporary file.
fn uploaded(server: &Server) -> u64 {
    let Ok(folder) = fs::read_dir(server.path("back/d000")) else { return 0 };
    folder.filter_map(|it| it.ok()?.metadata().ok()).map(|it| it.len()).sum()
}

#[test]
fn an_upload_goes_on_where_it_was_killed() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        Random::seeded().fill(&scratch.path("here"), [BYTES]);
        let proxy = Proxy::start(server.port, None);
        let slow = format!("{RULES}[tunnel]\nmax_bandwidth = \"12 MB/s\"");
        let (source, sink) = (scratch.local("here"), server.keys_at(proxy.port, "back"));
        kill_half_way(&scratch, &server, &scratch.pipeline_between(&source, &sink, &slow));
        let run = scratch.run(&scratch.pipeline_between(&source, &sink, RULES));
        run.expect_code(0);
        assert_carried(&scratch.path("here"), &server.path("back"));
        // Eleven, the one that was cut by the kill, and one that was whole but not in the journal yet; and
        // the first one is tried once before its folder is made.
        let sent = proxy.uploads();
        assert!((12..=15).contains(&sent), "{kind:?}: {sent} uploads in all\n{}", run.output);
    }
}

#[test]
fn an_upload_of_what_has_changed_starts_over() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Vsftpd, Wishes::default());
    Random::seeded().fill(&scratch.path("here"), [BYTES]);
    let slow = format!("{RULES}[tunnel]\nmax_bandwidth = \"12 MB/s\"");
    let (source, sink) = (scratch.local("here"), server.keys("back"));
    kill_half_way(&scratch, &server, &scratch.pipeline_between(&source, &sink, &slow));
    let mut random = Random::seeded();
    random.next();
    random.fill(&scratch.path("here"), [BYTES]);
    scratch.run(&scratch.pipeline_between(&source, &sink, RULES)).expect_code(0);
    assert_carried(&scratch.path("here"), &server.path("back"));
    assert_eq!(fs::read_dir(server.path("back/d000")).unwrap().count(), 1, "nothing is left of the first upload");
}

#[test]
fn an_upload_that_the_server_lost_starts_over() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Vsftpd, Wishes::default());
    Random::seeded().fill(&scratch.path("here"), [BYTES]);
    let slow = format!("{RULES}[tunnel]\nmax_bandwidth = \"12 MB/s\"");
    let (source, sink) = (scratch.local("here"), server.keys("back"));
    kill_half_way(&scratch, &server, &scratch.pipeline_between(&source, &sink, &slow));
    for left in fs::read_dir(server.path("back/d000")).unwrap() {
        // vsftpd would fill the gap with zeros.
        fs::File::options().write(true).open(left.unwrap().path()).unwrap().set_len(7).unwrap();
    }
    scratch.run(&scratch.pipeline_between(&source, &sink, RULES)).expect_code(0);
    assert_carried(&scratch.path("here"), &server.path("back"));
    assert_eq!(fs::read_dir(server.path("back/d000")).unwrap().count(), 1, "nothing is left of the first upload");
}

/// A download's parts are four times as long as asked for. The cut lies within a part; only that is moved again.
#[test]
fn a_cut_costs_one_part() {
    for (kind, transfer) in ALL.into_iter().flat_map(|kind| [(kind, Transfer::Download), (kind, Transfer::Upload)]) {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        let (from, to) = (server.path("tree"), scratch.path("here"));
        let filled = if transfer == Transfer::Download { &from } else { &to };
        Random::seeded().fill(filled, [10 * PART]);
        fs::create_dir_all(&from).unwrap();
        server.own();
        let proxy = Proxy::start(server.port, Some(Cut { transfer, after: PART / 2, times: 2 }));
        let (ftp, local) = (server.keys_at(proxy.port, "tree"), scratch.local("here"));
        let (source, sink) = if transfer == Transfer::Download { (&ftp, &local) } else { (&local, &ftp) };
        let run = scratch.run(&scratch.pipeline_between(source, sink, RULES));
        run.expect_code(0);
        assert_eq!(proxy.cuts(), 2, "{kind:?}");
        let retries = run.events_named("retry");
        assert!(!retries.is_empty() && retries.iter().all(|retry| retry["part"].is_number()), "{kind:?}: {retries:?}");
        assert_carried(&from, &to);
    }
}

#[test]
fn what_was_sent_in_parts_has_the_servers_checksum() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, Kind::Proftpd, Wishes::default());
    Random::seeded().fill(&scratch.path("here"), [2 * PART + 7]);
    let run = scratch.run(&scratch.pipeline_between(&scratch.local("here"), &server.keys("back"), RULES));
    run.expect_code(0);
    assert_eq!(run.events_named("moved")[0]["verified"], "crc32", "{}", run.output);
    assert_carried(&scratch.path("here"), &server.path("back"));
}
