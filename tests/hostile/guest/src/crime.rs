//! Which crime a call is to commit, and what any call can do wrong: never return, take all memory,
//! trap, overflow its stack. Knows no object but by its name.

use std::{future::poll_fn, hint::black_box, task::Poll, time::Duration};

use culvert_sdk::{instance::Configured, stream};

use crate::CONFIG;

/// Ways to go wrong that every call has; a crime's name is `<way>-<call>`.
const WAYS: [&str; 8] = ["loop", "allocate", "trap", "panic", "overflow", "sleep", "spin", "hoard"];

const CALLS: [&str; 16] = [
    "configure",
    "check",
    "list",
    "stat",
    "read",
    "data",
    "outcome",
    "put",
    "begin",
    "write-part",
    "commit",
    "abort",
    "sweep",
    "delete",
    "read-batch",
    "put-batch",
];

/// What single calls do in their own way.
const SPECIAL: [&str; 66] = [
    "none",
    // Of a listing.
    "keys",
    "folders",
    "deep-folders",
    "records",
    "extremes",
    "escapes",
    "environment",
    "stalled-listing",
    "endless-listing",
    "wide-listing",
    "false-listing",
    "million",
    "planted-link",
    // Of a reading.
    "misname-read",
    "resize-read",
    "longer",
    "shorter",
    "stuck-data",
    "endless-data",
    "empty-data",
    "silent-outcome",
    "false-outcome",
    "escaping-error",
    "gigantic",
    "wild-offset",
    "hoard-files",
    "leave-source",
    "change-source",
    // Of a put.
    "stuck-put",
    "deaf-put",
    "tired-put",
    "hasty-put",
    "half-put",
    "late-trap",
    "false-put",
    "misname-put",
    "missize-put",
    "mischeck-put",
    "oversized-put",
    "misname-stat",
    "leave-sink",
    "flip-put",
    // Of an upload.
    "huge-token",
    "stuck-part",
    "hasty-part",
    "wrong-receipt",
    "huge-receipt",
    "missize-commit",
    // Of a batch that is read.
    "honest-batch",
    "shorter-batch",
    "longer-batch",
    "refused-batch",
    "stuck-batch",
    "silent-batch",
    "false-batch",
    // Of a batch that is put.
    "hasty-batch",
    "half-batch",
    "fewer-batch",
    "more-batch",
    "no-batch",
    "huge-batch",
    "missize-batch",
    "mischeck-batch",
    "missum-batch",
    "failed-batch",
];

/// A crime to commit, or none.
#[derive(Debug)]
pub(crate) struct Crime(String);

/// Every name that a table may have.
pub(crate) fn names() -> Vec<String> {
    let ways = WAYS.iter().flat_map(|way| CALLS.iter().map(move |call| format!("{way}-{call}")));
    SPECIAL.iter().map(|name| (*name).to_owned()).chain(ways).collect()
}

// === impl Crime ===

impl Crime {
    pub(crate) fn of_instance() -> Self {
        Self(CONFIG.with(Configured::get).map_or_else(|_| String::new(), |config| config.behaviour.clone()))
    }

    /// The crime that the object's name says, if the table says it too.
    pub(crate) fn of(key: &str) -> Self {
        let asked = |name: &&str| {
            CONFIG.with(Configured::get).is_ok_and(|config| config.objects.iter().any(|object| object == name))
        };
        Self(key.strip_prefix("bad-").filter(asked).unwrap_or_default().to_owned())
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.0 == name
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Does what `<way>-<call>` says, if that's the crime.
    pub(crate) async fn commit(&self, call: &str) {
        let Some((way, _)) = self.0.split_once('-').filter(|(_, asked)| *asked == call) else { return };
        match way {
            "spin" => spin().await,
            way => commit(way),
        }
    }
}

/// What needs no task to be done.
pub(crate) fn commit(way: &str) {
    match way {
        "loop" => loop {
            black_box(());
        },
        "allocate" => allocate(),
        "trap" => std::process::abort(),
        "panic" => panic!("a guest's panic"),
        "overflow" => {
            black_box(overflow(black_box(0)));
        }
        "sleep" => std::thread::sleep(Duration::from_secs(86_400)),
        "hoard" => loop {
            std::mem::forget(stream::empty());
        },
        _ => {}
    }
}

/// Gives the engine its turn again and again, and never gets anywhere.
async fn spin() {
    loop {
        turn().await;
    }
}

/// Gives the engine its turn once.
pub(crate) async fn turn() {
    let mut given = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn allocate() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion, reason = "that's the crime")]
fn overflow(depth: u64) -> u64 {
    let ballast = black_box([depth; 64]);
    overflow(depth + 1) + ballast[usize::try_from(depth % 64).unwrap_or(0)]
}
