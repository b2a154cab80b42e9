//! Every key that the engine itself knows: its kind, default and example. The parser, the editors'
//! schema and the key reference in `pipelines/README.md` all follow this one table. A connector's
//! own keys aren't here: its schema holds them.

use crate::{item::Item, kind::Kind};

/// One key of a pipeline file, of `engine.toml` or of what `engine apply` reads.
pub(crate) struct Key {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As it would be written, without quotes; none where a missing key has a meaning of its own.
    pub(crate) default: Option<&'static str>,
    /// As it's written.
    pub(crate) example: &'static str,
    pub(crate) about: &'static str,
}

/// The file itself: keys above the first header.
pub(crate) const ROOT: &str = "";
pub(crate) const TUNNEL: &str = "tunnel";
pub(crate) const SOURCE: &str = "source";
pub(crate) const SINK: &str = "sink";
pub(crate) const TRANSFORM: &str = "transform";
pub(crate) const SELECT: &str = "select";
pub(crate) const TRANSFER: &str = "transfer";
pub(crate) const SCHEDULE: &str = "schedule";
pub(crate) const REPORT: &str = "report";
pub(crate) const LIMITS: &str = "limits";
/// In the place of a source's or sink's own keys.
pub(crate) const ADDRESS: &str = "address";
pub(crate) const SHA256: &str = "sha256";
/// In `engine.toml` and in what's applied.
pub(crate) const TUNNELS: &str = "tunnels";
/// Only in what's applied.
pub(crate) const AGENTS: &str = "agents";
pub(crate) const SOURCES: &str = "sources";
pub(crate) const SINKS: &str = "sinks";
pub(crate) const TASKS: &str = "tasks";
/// How the section of a table below one of them ends.
pub(crate) const ENTRY: &str = ".<name>";
pub(crate) const TUNNELS_ENTRY: &str = "tunnels.<name>";
pub(crate) const AGENTS_ENTRY: &str = "agents.<name>";
pub(crate) const SOURCES_ENTRY: &str = "sources.<name>";
pub(crate) const SINKS_ENTRY: &str = "sinks.<name>";
pub(crate) const TASKS_ENTRY: &str = "tasks.<name>";

/// The sections of a pipeline file, in the order of the reference.
pub(crate) const SECTIONS: [&str; 9] = [TUNNEL, SOURCE, SINK, TRANSFORM, SELECT, TRANSFER, SCHEDULE, REPORT, LIMITS];

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// Most requests per second of a tunnel: what the type holds.
const MAX_REQUESTS: u64 = u32::MAX as u64;
/// Most objects or parts moved at the same time by one agent: each holds an instance of each connector.
const MAX_WORKERS: u64 = 256;
/// Smallest and largest part: the limits of S3 and OSS.
const PART_BYTES: (u64, u64) = (5 * MIB, 5 * GIB);
/// A tenth attempt has waited minutes; a hundred is for those who know why.
const MAX_ATTEMPTS: u64 = 100;
/// Less than this starts no instance; more than this doesn't exist in 32-bit WebAssembly.
const MEMORY_BYTES: (u64, u64) = (16 * MIB, 4 * GIB);
/// Larger than any store takes: S3 ends at 50 TiB.
const MAX_OBJECT_BYTES: u64 = 1024 * 1024 * GIB;
const MAX_LISTING_MILLIS: u64 = 365 * 24 * HOUR;
/// What the type holds.
const MAX_WEIGHT: u64 = u32::MAX as u64;
/// Rounds that are a year apart are pipelines of their own.
const MAX_EVERY_MILLIS: u64 = 365 * 24 * HOUR;
/// What the type holds.
const MAX_ROUNDS: u64 = u32::MAX as u64;

pub(crate) const KEYS: &[Key] = &[
    Key {
        section: ROOT,
        name: "name",
        kind: Kind::Name,
        default: None,
        example: "\"nas-to-oss\"",
        about: "Names the pipeline, its journal and its runs. Required.",
    },
    Key {
        section: ROOT,
        name: "tunnel",
        kind: Kind::Name,
        default: None,
        example: "\"express-connect\"",
        about: "The shared tunnel that everything goes through; or a `[tunnel]` table, of this run alone. Required.",
    },
    Key {
        section: TUNNEL,
        name: "max_bandwidth",
        kind: Kind::Rate,
        default: None,
        example: "\"80 MiB/s\"",
        about: "Most payload bytes per second, each byte counted once. Without it: no limit.",
    },
    Key {
        section: TUNNEL,
        name: "max_requests_per_second",
        kind: Kind::Count { min: 1, max: MAX_REQUESTS, unit: "requests per second" },
        default: None,
        example: "50",
        about: "Most HTTP requests and new TCP connections per second. Without it: no limit.",
    },
    Key {
        section: SOURCE,
        name: "connector",
        kind: Kind::Connector,
        default: None,
        example: "\"local\"",
        about: "A built-in connector, the path of a `.wasm` file, or `oci://` and its place in a registry. Required without `address`. Its own keys follow.",
    },
    Key {
        section: SOURCE,
        name: SHA256,
        kind: Kind::Digest,
        default: None,
        example: "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
        about: "SHA-256 of the connector's component; with another one, nothing is run. Without it: not asked.",
    },
    Key {
        section: SOURCE,
        name: ADDRESS,
        kind: Kind::Name,
        default: None,
        example: "\"nas\"",
        about: "A table that was given a name with `engine address create`, in the place of all other keys here.",
    },
    Key {
        section: SINK,
        name: "connector",
        kind: Kind::Connector,
        default: None,
        example: "\"local\"",
        about: "A built-in connector, the path of a `.wasm` file, or `oci://` and its place in a registry. Required without `address`. Its own keys follow.",
    },
    Key {
        section: SINK,
        name: SHA256,
        kind: Kind::Digest,
        default: None,
        example: "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
        about: "SHA-256 of the connector's component; with another one, nothing is run. Without it: not asked.",
    },
    Key {
        section: SINK,
        name: ADDRESS,
        kind: Kind::Name,
        default: None,
        example: "\"archive\"",
        about: "A table that was given a name with `engine address create`, in the place of all other keys here.",
    },
    Key {
        section: TRANSFORM,
        name: "connector",
        kind: Kind::Text,
        default: None,
        example: "\"zstd\"",
        about: "A built-in transform, the path of a `.wasm` file, or `oci://` and its place in a registry. Required in each `[[transform]]`. Its own keys follow.",
    },
    Key {
        section: TRANSFORM,
        name: SHA256,
        kind: Kind::Digest,
        default: None,
        example: "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
        about: "SHA-256 of the transform's component; with another one, nothing is run. Without it: not asked.",
    },
    Key {
        section: SELECT,
        name: "prefixes",
        kind: Kind::List(Item::Prefix),
        default: None,
        example: "[\"photos/\"]",
        about: "An object's key must start with one of them. Without it: every object.",
    },
    Key {
        section: SELECT,
        name: "include",
        kind: Kind::List(Item::Glob),
        default: None,
        example: "[\"**/*.tif\"]",
        about: "An object must match one of them. Without it: every object.",
    },
    Key {
        section: SELECT,
        name: "include_regex",
        kind: Kind::List(Item::Regex),
        default: None,
        example: "['^[0-9]{4}/']",
        about: "An object must match one of them too. Without it: every object.",
    },
    Key {
        section: SELECT,
        name: "exclude",
        kind: Kind::List(Item::Glob),
        default: None,
        example: "[\"tmp/**\"]",
        about: "An object that matches one of them is left out. Without it: none.",
    },
    Key {
        section: SELECT,
        name: "exclude_regex",
        kind: Kind::List(Item::Regex),
        default: None,
        example: "['~$']",
        about: "An object that matches one of them is left out. Without it: none.",
    },
    Key {
        section: SELECT,
        name: "modified_after",
        kind: Kind::Time,
        default: None,
        example: "\"2024-01-01T00:00:00Z\"",
        about: "Objects modified then or later. Without it: of any age.",
    },
    Key {
        section: SELECT,
        name: "modified_before",
        kind: Kind::Time,
        default: None,
        example: "\"30d\"",
        about: "Objects modified before then. Without it: of any age.",
    },
    Key {
        section: SELECT,
        name: "min_size",
        kind: Kind::Size { min: 0, max: u64::MAX },
        default: None,
        example: "\"1 B\"",
        about: "Objects of this size or larger. Without it: of any size.",
    },
    Key {
        section: SELECT,
        name: "max_size",
        kind: Kind::Size { min: 0, max: u64::MAX },
        default: None,
        example: "\"50 GiB\"",
        about: "Objects of this size or smaller. Without it: of any size.",
    },
    Key {
        section: TRANSFER,
        name: "overwrite",
        kind: Kind::Choice(&["never", "always", "if-newer", "if-different"]),
        default: Some("if-different"),
        example: "\"if-newer\"",
        about: "What happens to an object that the sink already has.",
    },
    Key {
        section: TRANSFER,
        name: "verify",
        kind: Kind::Choice(&["checksum", "reread", "size"]),
        default: Some("checksum"),
        example: "\"size\"",
        about: "How it's proven that the sink has what the source had.",
    },
    Key {
        section: TRANSFER,
        name: "workers",
        kind: Kind::Count { min: 1, max: MAX_WORKERS, unit: "objects or parts" },
        default: Some("8"),
        example: "16",
        about: "Objects or parts moved at the same time.",
    },
    Key {
        section: TRANSFER,
        name: "part_size",
        kind: Kind::Size { min: PART_BYTES.0, max: PART_BYTES.1 },
        default: Some("16 MiB"),
        example: "\"64 MiB\"",
        about: "Objects larger than this move in parts of this size, where the sink can; from `ftp` in parts of four times this size.",
    },
    Key {
        section: TRANSFER,
        name: "attempts",
        kind: Kind::Count { min: 1, max: MAX_ATTEMPTS, unit: "attempts" },
        default: Some("5"),
        example: "10",
        about: "How often one object, or one part of it, is tried in all.",
    },
    Key {
        section: TRANSFER,
        name: "max_backoff",
        kind: Kind::Duration { min: 100, max: HOUR },
        default: Some("30s"),
        example: "\"2m\"",
        about: "Longest pause between two attempts.",
    },
    Key {
        section: TRANSFER,
        name: "server_side_copy",
        kind: Kind::Boolean,
        default: Some("true"),
        example: "false",
        about: "Where both ends are in one store, the store copies and no byte passes the engine.",
    },
    Key {
        section: TRANSFER,
        name: "delete_extra",
        kind: Kind::Boolean,
        default: Some("false"),
        example: "true",
        about: "What the source doesn't have is deleted from the sink after a round without failures.",
    },
    Key {
        section: TRANSFER,
        name: "max_delete_percent",
        kind: Kind::Count { min: 0, max: 100, unit: "percent" },
        default: Some("10"),
        example: "50",
        about: "Most of the sink's objects that one round deletes; where there is more to delete, it deletes nothing.",
    },
    Key {
        section: SCHEDULE,
        name: "every",
        kind: Kind::Duration { min: SECOND, max: MAX_EVERY_MILLIS },
        default: None,
        example: "\"1h\"",
        about: "From the start of one round to the start of the next. Without it: one round.",
    },
    Key {
        section: SCHEDULE,
        name: "rounds",
        kind: Kind::Count { min: 1, max: MAX_ROUNDS, unit: "rounds" },
        default: None,
        example: "24",
        about: "How many rounds there are; needs `every`. Without it: no end.",
    },
    Key {
        section: SCHEDULE,
        name: "window",
        kind: Kind::List(Item::Window),
        default: None,
        example: "[\"22:00-06:00\"]",
        about: "Times of the day in which objects may move. Without it: always.",
    },
    Key {
        section: SCHEDULE,
        name: "timezone",
        kind: Kind::TimeZone,
        default: None,
        example: "\"Europe/Berlin\"",
        about: "Where the clock of `window` hangs. Without it: UTC.",
    },
    Key {
        section: REPORT,
        name: "to_sink",
        kind: Kind::Boolean,
        default: Some("false"),
        example: "true",
        about: "The report of each round is also written to the sink.",
    },
    Key {
        section: REPORT,
        name: "prefix",
        kind: Kind::Prefix,
        default: Some(".culvert-reports/"),
        example: "\"reports/\"",
        about: "What the keys of the reports at the sink start with.",
    },
    Key {
        section: REPORT,
        name: "sha256sums",
        kind: Kind::Boolean,
        default: Some("false"),
        example: "true",
        about: "SHA-256 is computed over each object that moves as a whole, for the report's `SHA256SUMS`.",
    },
    Key {
        section: LIMITS,
        name: "memory",
        kind: Kind::Size { min: MEMORY_BYTES.0, max: MEMORY_BYTES.1 },
        default: Some("256 MiB"),
        example: "\"512 MiB\"",
        about: "Most memory of one connector instance.",
    },
    Key {
        section: LIMITS,
        name: "compute_timeout",
        kind: Kind::Duration { min: 100, max: HOUR },
        default: Some("10s"),
        example: "\"1m\"",
        about: "Longest a connector may compute without returning to the engine.",
    },
    Key {
        section: LIMITS,
        name: "call_timeout",
        kind: Kind::Duration { min: SECOND, max: 24 * HOUR },
        default: Some("60s"),
        example: "\"5m\"",
        about: "Longest a call of a connector may take to answer.",
    },
    Key {
        section: LIMITS,
        name: "idle_timeout",
        kind: Kind::Duration { min: SECOND, max: 24 * HOUR },
        default: Some("60s"),
        example: "\"5m\"",
        about: "Longest without a byte or an entry though one was asked for.",
    },
    Key {
        section: LIMITS,
        name: "listing_timeout",
        kind: Kind::Duration { min: SECOND, max: MAX_LISTING_MILLIS },
        default: Some("24h"),
        example: "\"7d\"",
        about: "Longest that listing the source may take in all.",
    },
    Key {
        section: LIMITS,
        name: "max_object",
        kind: Kind::Size { min: MIB, max: MAX_OBJECT_BYTES },
        default: Some("1 TiB"),
        example: "\"100 GiB\"",
        about: "Most bytes that a transform may make of one object.",
    },
    Key {
        section: TUNNELS_ENTRY,
        name: "max_bandwidth",
        kind: Kind::Rate,
        default: None,
        example: "\"640 Mbit/s\"",
        about: "Most payload bytes per second of all that use it together. Without it: no limit.",
    },
    Key {
        section: TUNNELS_ENTRY,
        name: "max_requests_per_second",
        kind: Kind::Count { min: 1, max: MAX_REQUESTS, unit: "requests per second" },
        default: None,
        example: "200",
        about: "The same for HTTP requests and new TCP connections. Without it: no limit.",
    },
    Key {
        section: TUNNELS_ENTRY,
        name: "floor",
        kind: Kind::Rate,
        default: None,
        example: "\"1 MiB/s\"",
        about: "What a run as an agent keeps if it can't reach the others. Without it: it stops.",
    },
    Key {
        section: TUNNELS_ENTRY,
        name: "schedule",
        kind: Kind::List(Item::Hours),
        default: None,
        example: "[\"mon-fri 08:00-18:00 10 MiB/s\"]",
        about: "Other limits at some times; the first that's open counts. Without it: the same at any time.",
    },
    Key {
        section: TUNNELS_ENTRY,
        name: "timezone",
        kind: Kind::TimeZone,
        default: None,
        example: "\"Europe/Berlin\"",
        about: "Where the clock of `schedule` hangs. Without it: UTC.",
    },
    Key {
        section: AGENTS_ENTRY,
        name: "tunnel",
        kind: Kind::Name,
        default: None,
        example: "\"express-connect\"",
        about: "The tunnel that everything it moves goes through. Required.",
    },
    Key {
        section: AGENTS_ENTRY,
        name: "network",
        kind: Kind::Choice(&["vpc", "public"]),
        default: Some("public"),
        example: "\"vpc\"",
        about: "Which network it's on: picks a service's endpoint where an end's table has neither an endpoint nor a network.",
    },
    Key {
        section: AGENTS_ENTRY,
        name: "bind",
        kind: Kind::Text,
        default: None,
        example: "\"192.0.2.10\"",
        about: "Local address or interface that its HTTP connections start from. Without it: the system's choice.",
    },
    Key {
        section: AGENTS_ENTRY,
        name: "weight",
        kind: Kind::Count { min: 1, max: MAX_WEIGHT, unit: "-" },
        default: Some("1"),
        example: "3",
        about: "Its weight when shares of the tunnel are made.",
    },
    Key {
        section: SOURCES_ENTRY,
        name: "connector",
        kind: Kind::Connector,
        default: None,
        example: "\"local\"",
        about: "As in `[source]`; its own keys follow. Required.",
    },
    Key {
        section: SINKS_ENTRY,
        name: "connector",
        kind: Kind::Connector,
        default: None,
        example: "\"local\"",
        about: "As in `[sink]`; its own keys follow. Required.",
    },
    Key {
        section: TASKS_ENTRY,
        name: "file",
        kind: Kind::Text,
        default: None,
        example: "\"pipelines/nightly.toml\"",
        about: "The pipeline's file, from the folder of this one. Required.",
    },
    Key {
        section: TASKS_ENTRY,
        name: "agent",
        kind: Kind::Name,
        default: None,
        example: "\"nas\"",
        about: "The agent that it runs as. Without it: none.",
    },
];

/// The keys of a section, in the order of the reference.
pub(crate) fn of(section: &str) -> impl Iterator<Item = &'static Key> + use<'_> {
    KEYS.iter().filter(move |key| key.section == section)
}

/// Whether a word is a key of the engine whose value is plain, and so never secret.
pub(crate) fn is_scalar(word: &str) -> bool {
    KEYS.iter().any(|key| key.name == word)
}

/// The closest of the known words, if one is close enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words weren't meant to be any key; comparing them would take long.
    const MAX_WORD_BYTES: usize = 64;
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let folded = word.to_lowercase().replace('-', "_");
    let distances = known.map(|candidate| (strsim::damerau_levenshtein(&folded, candidate), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2.max(candidate.len() / 3)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    const README: &str = include_str!("../../../pipelines/README.md");

    fn row(key: &Key) -> String {
        let quote = if key.kind.is_bare() { "" } else { "\"" };
        let default = key.default.map_or("none".to_owned(), |default| format!("`{quote}{default}{quote}`"));
        let name = if key.section == ROOT { key.name.to_owned() } else { format!("{}.{}", key.section, key.name) };
        let (form, unit) = (key.kind.form(), key.kind.unit());
        format!("| `{name}` | {} | {form} | {unit} | {default} | `{}` |", key.about, key.example)
    }

    #[test]
    fn the_reference_has_every_key_and_no_other() {
        let table = README.lines().skip_while(|line| !line.starts_with("| key | meaning |"));
        let documented: Vec<&str> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
        let expected: Vec<String> = KEYS.iter().map(row).collect();
        assert_eq!(documented, expected, "pipelines/README.md should hold these rows:\n{}\n", expected.join("\n"));
    }

    #[test]
    fn the_nearest_key_is_near() {
        let names = || of(TRANSFER).map(|key| key.name);
        assert_eq!(nearest("worker", names()), Some("workers"));
        assert_eq!(nearest("part-size", names()), Some("part_size"));
        assert_eq!(nearest("schedule", names()), None);
    }
}
