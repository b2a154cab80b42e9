//! Servers that have few places, and few that come back.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::assert_carried;
use crate::harness::{
    Scratch,
    ftp::{ALL, Kind, Server, Wishes, proxy::Proxy},
    tree::Random,
};

#[test]
fn sixteen_workers_live_with_two_connections() {
    for kind in ALL {
        for up in [false, true] {
            let scratch = Scratch::new();
            let server = Server::start(&scratch, kind, Wishes { max_per_address: Some(2), ..Wishes::default() });
            let (ftp, local) = (server.keys("tree"), scratch.local("here"));
            let (from, to) = (server.path("tree"), scratch.path("here"));
            let filled = if up { &to } else { &from };
            Random::seeded().fill(filled, vec![5000; 150]);
            server.own();
            let (source, sink) = if up { (&local, &ftp) } else { (&ftp, &local) };
            let pipeline = scratch.pipeline_between(source, sink, "[transfer]\nworkers = 16");
            let run = scratch.run(&pipeline);
            run.expect_code(0);
            assert_eq!((run.objects("moved"), run.objects("failed")), (150, 0), "{kind:?}");
            assert_carried(&from, &to);
        }
    }
}

#[test]
fn a_server_that_restarts_is_come_back_to() {
    for (kind, up) in [(Kind::Vsftpd, false), (Kind::Proftpd, true)] {
        let scratch = Scratch::new();
        let mut server = Server::start(&scratch, kind, Wishes::default());
        let (there, here) = (server.path("tree"), scratch.path("here"));
        Random::seeded().fill(if up { &here } else { &there }, vec![100_000; 60]);
        server.own();
        let more = "[transfer]\nworkers = 4\nattempts = 10\n[tunnel]\nmax_bandwidth = \"2 MB/s\"";
        let (ftp, local) = (server.keys("tree"), scratch.local("here"));
        let (source, sink) = if up { (&local, &ftp) } else { (&ftp, &local) };
        let pipeline = scratch.pipeline_between(source, sink, more);
        let running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
        wait_for_files(if up { &there } else { &here }, 10);
        server.restart();
        let run = running.wait();
        run.expect_code(0);
        assert_eq!((run.objects("moved"), run.objects("failed")), (60, 0), "{kind:?}");
        assert_carried(&there, &here);
    }
}

#[test]
fn control_connections_may_drop_at_any_time() {
    for (kind, up) in [(Kind::Proftpd, false), (Kind::Vsftpd, true)] {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        let (there, here) = (server.path("tree"), scratch.path("here"));
        Random::seeded().fill(if up { &here } else { &there }, vec![100_000; 60]);
        server.own();
        let proxy = Proxy::start(server.port, None);
        let more = "[transfer]\nworkers = 3\nattempts = 10\n[tunnel]\nmax_bandwidth = \"2 MB/s\"";
        let (ftp, local) = (server.keys_at(proxy.port, "tree"), scratch.local("here"));
        let (source, sink) = if up { (&local, &ftp) } else { (&ftp, &local) };
        let pipeline = scratch.pipeline_between(source, sink, more);
        let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
        for files in [5, 20, 35, 50] {
            wait_for_files(if up { &there } else { &here }, files);
            proxy.drop_controls();
            assert!(running.ended().is_none(), "{}", running.printed());
        }
        let run = running.wait();
        run.expect_code(0);
        assert_eq!((run.objects("moved"), run.objects("failed")), (60, 0), "{kind:?}");
        assert!(proxy.controls() > 8, "connections were made again");
        assert_carried(&there, &here);
    }
}

/// Waits until so many files have arrived.
fn wait_for_files(root: &Path, count: usize) {
    let begin = Instant::now();
    let here = root.join("d000");
    loop {
        let there = std::fs::read_dir(&here).map_or(0, Iterator::count);
        if there >= count {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{there} of {count} files after a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}
