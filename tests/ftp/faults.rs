//! Transfers that are cut short and look whole: found, tried again, never taken for the file.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use super::assert_carried;
use crate::harness::{
    Scratch,
    ftp::{
        ALL, Server, Wishes,
        ports::Ports,
        proxy::{Cut, Proxy, Transfer},
    },
    tree::Random,
};

/// Files that are larger than what is let through.
const BYTES: usize = 400_000;

fn cut(transfer: Transfer) {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        let (from, to) = (server.path("tree"), scratch.path("here"));
        let filled = if transfer == Transfer::Download { &from } else { &to };
        Random::seeded().fill(filled, vec![BYTES; 6]);
        fs::create_dir_all(&from).unwrap();
        server.own();
        let proxy = Proxy::start(server.port, Some(Cut { transfer, after: 150_001, times: 3 }));
        let (ftp, local) = (server.keys_at(proxy.port, "tree"), scratch.local("here"));
        let (source, sink) = if transfer == Transfer::Download { (&ftp, &local) } else { (&local, &ftp) };
        let pipeline = scratch.pipeline_between(source, sink, "[transfer]\nworkers = 2\nverify = \"size\"");
        let run = scratch.run(&pipeline);
        run.expect_code(0);
        assert_eq!(proxy.cuts(), 3, "{kind:?}");
        assert!(run.events_named("retry").len() >= 3, "{kind:?}: {}", run.output);
        assert_carried(&from, &to);
    }
}

/// The end of TLS tells what was cut, but for servers that never say farewell.
fn cut_under_tls(transfer: Transfer) {
    for kind in ALL {
        let scratch = Scratch::new();
        let ports = Ports::reserve();
        let server =
            Server::start(&scratch, kind, Wishes { tls: true, passive: Some(ports.first), ..Wishes::default() });
        let (from, to) = (server.path("tree"), scratch.path("here"));
        let filled = if transfer == Transfer::Download { &from } else { &to };
        Random::seeded().fill(filled, vec![BYTES; 6]);
        fs::create_dir_all(&from).unwrap();
        server.own();
        let cutter = ports.carry(server.port, Cut { transfer, after: 150_001, times: 3 });
        let (ftp, local) = (server.keys_through(&cutter, "tree"), scratch.local("here"));
        let (source, sink) = if transfer == Transfer::Download { (&ftp, &local) } else { (&local, &ftp) };
        let pipeline = scratch.pipeline_between(source, sink, "[transfer]\nworkers = 2\nverify = \"size\"");
        let run = scratch.run(&pipeline);
        run.expect_code(0);
        assert_eq!(cutter.cuts(), 3, "{kind:?}");
        assert!(run.events_named("retry").len() >= 3, "{kind:?}: {}", run.output);
        assert_carried(&from, &to);
    }
}

#[test]
fn a_download_cut_short_is_no_file() {
    cut(Transfer::Download);
}

#[test]
fn an_upload_cut_short_is_no_file() {
    cut(Transfer::Upload);
}

#[test]
fn a_download_cut_short_under_tls_is_no_file() {
    cut_under_tls(Transfer::Download);
}

#[test]
fn an_upload_cut_short_under_tls_is_no_file() {
    cut_under_tls(Transfer::Upload);
}

#[test]
fn what_is_always_cut_fails_and_leaves_nothing() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        Random::seeded().fill(&scratch.path("here"), [BYTES]);
        fs::create_dir(server.path("tree")).unwrap();
        server.own();
        let cut = Cut { transfer: Transfer::Upload, after: 150_001, times: u32::MAX };
        let proxy = Proxy::start(server.port, Some(cut));
        let sink = server.keys_at(proxy.port, "tree");
        let more = "[transfer]\nworkers = 1\nattempts = 2";
        let run = scratch.run(&scratch.pipeline_between(&scratch.local("here"), &sink, more));
        run.expect_code(2);
        assert_eq!(run.objects("failed"), 1);
        let left: Vec<_> = std::fs::read_dir(server.path("tree/d000")).unwrap().map(Result::unwrap).collect();
        assert!(left.is_empty(), "{kind:?} is left with {left:?}");
    }
}

/// As many bytes as before, and none of them: only its time tells.
#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        let (from, to) = (server.path("tree"), scratch.path("here"));
        Random::seeded().fill(&from, [3_000_000]);
        server.own();
        let (ftp, local) = (server.keys("tree"), scratch.local("here"));
        let more = "[tunnel]\nmax_bandwidth = \"2 MB/s\"\n[transfer]\nverify = \"size\"";
        let pipeline = scratch.pipeline_between(&ftp, &local, more);
        let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
        let begin = Instant::now();
        while bytes_below(&to) < 500_000 {
            assert!(running.ended().is_none(), "{}", running.printed());
            assert!(begin.elapsed().as_secs() < 60, "{kind:?}: {} bytes after a minute", bytes_below(&to));
            std::thread::sleep(Duration::from_millis(5));
        }
        let file = fs::File::options().write(true).open(from.join("d000/f00000")).unwrap();
        file.write_all_at(&vec![7; 3_000_000], 0).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        let run = running.wait();
        run.expect_code(0);
        let codes: Vec<_> = run.events_named("retry").iter().map(|retry| retry["code"].clone()).collect();
        assert_eq!(codes, ["changed"], "{kind:?}: {}", run.output);
        assert_carried(&from, &to);
    }
}

/// Of whatever is in the first folder, finished or not.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(folder) = fs::read_dir(folder.join("d000")) else { return 0 };
    folder.filter_map(|it| it.ok()?.metadata().ok()).map(|it| it.len()).sum()
}
