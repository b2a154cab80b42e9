//! Transfers that are cut short and look whole: found, tried again, never taken for the file.

use super::assert_carried;
use crate::harness::{
    Scratch,
    ftp::{
        ALL, Server, Wishes,
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
        std::fs::create_dir_all(&from).unwrap();
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

#[test]
fn a_download_cut_short_is_no_file() {
    cut(Transfer::Download);
}

#[test]
fn an_upload_cut_short_is_no_file() {
    cut(Transfer::Upload);
}

#[test]
fn what_is_always_cut_fails_and_leaves_nothing() {
    for kind in ALL {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, kind, Wishes::default());
        Random::seeded().fill(&scratch.path("here"), [BYTES]);
        std::fs::create_dir(server.path("tree")).unwrap();
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
