//! Files that are taken: what each key becomes, the defaults, the samples that are shipped.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/environment.rs"]
mod common;

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use common::{SECRET, TestEnvironment, now, schema};
use culvert_flow::rules::{
    ByteRate, ByteSize, Limits, Moment, Overwrite, RequestRate, Schedule, Transfer, Verify, Window,
};
use culvert_flow::tunnel::lease::Definition;
use culvert_manifest::{
    ConnectorLimits, ConnectorSchemas, Grant, Pipeline, ProcessEnvironment, Report, TunnelRef, parse, parse_engine,
    pipeline_schema,
};
use jiff::civil;
use serde_json::json;

const ENDS: &str = "[source]\nconnector = \"local\"\npath = \"a\"\n[sink]\nconnector = \"local\"\npath = \"/b\"\n";

fn moment(seconds: u64) -> Moment {
    (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).into()
}

fn read(text: &str) -> Pipeline {
    parse(Path::new("good.toml"), text, &TestEnvironment::new())
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

#[test]
fn the_shortest_file_has_every_default() {
    let pipeline = read(&format!("name = \"p\"\n[tunnel]\n{ENDS}"));
    assert_eq!(pipeline.name, "p");
    assert_eq!(pipeline.tunnel, TunnelRef::Inline(Limits::default()));
    assert_eq!(pipeline.limits, ConnectorLimits::default());
    let transfer = Transfer {
        overwrite: Overwrite::IfDifferent,
        verify: Verify::Checksum,
        workers: NonZeroUsize::new(8).unwrap(),
        part_size: ByteSize(16 << 20),
        attempts: NonZeroU32::new(5).unwrap(),
        max_backoff: Duration::from_secs(30),
    };
    assert_eq!(pipeline.transfer, transfer);
    assert!(pipeline.server_side_copy && pipeline.transforms.is_empty());
    assert!(pipeline.selection.include.is_none() && pipeline.selection.exclude.is_none());
    assert_eq!((pipeline.selection.min_size, pipeline.selection.max_size), (None, None));
    assert!(pipeline.selection.prefixes.is_empty() && pipeline.selection.hits().is_empty());
    assert_eq!(pipeline.schedule, Schedule::default());
    assert_eq!(pipeline.report, Report { to_sink: false, prefix: ".culvert-reports/".to_owned(), sha256sums: false });
}

#[test]
fn every_key_arrives() {
    let pipeline = read(&format!(
        r#"
        name = "full"
        tunnel = {{ max_bandwidth = "640 Mbit/s", max_requests_per_second = 50 }}
        {ENDS}
        [select]
        prefixes = ["a/", {{ env = "SECRET" }}]
        include = ["**/*.tif", "*.json"]
        include_regex = ['\.(tif|json)$']
        exclude = ["tmp/**"]
        exclude_regex = ["~$", 'x{{2}}']
        modified_after = 2024-01-01T00:00:00+01:00
        modified_before = "30d"
        min_size = "1 kB"
        max_size = "1.5 GiB"
        [transfer]
        overwrite = "if-newer"
        verify = "size"
        workers = {{ env = "NUMBER" }}
        part_size = "64 MiB"
        attempts = 7
        max_backoff = "2m"
        [schedule]
        every = "1h"
        rounds = 24
        window = ["22:00-06:00", "12:30 - 24:00"]
        timezone = "Europe/Berlin"
        [report]
        to_sink = {{ env = "FLAG" }}
        prefix = "reports/nas-"
        sha256sums = true
        [limits]
        memory = "512 MiB"
        compute_timeout = "500ms"
        call_timeout = "5m"
        idle_timeout = "2m"
        listing_timeout = "7d"
        max_object = "100 GiB"
        "#
    ));
    let limits = Limits {
        max_bandwidth: NonZeroU64::new(80_000_000).map(ByteRate),
        max_requests_per_second: NonZeroU32::new(50).map(RequestRate),
    };
    assert_eq!(pipeline.tunnel, TunnelRef::Inline(limits));
    let selection = &pipeline.selection;
    let include = selection.include.as_ref().unwrap();
    assert!(include.is_match("a/b/c.tif") && include.is_match("c.tif") && include.is_match("x.json"));
    assert!(!include.is_match("a/x.json"), "* stays within a segment");
    assert!(selection.exclude.as_ref().unwrap().is_match("tmp/a/b"));
    assert_eq!(selection.modified_after, Some(moment(1_704_063_600)));
    let age = Duration::from_secs(30 * 86_400);
    assert_eq!(selection.modified_before, Some(Moment { time: now() - age, age: Some(age) }));
    assert_eq!((selection.min_size, selection.max_size), (Some(ByteSize(1000)), Some(ByteSize(3 << 29))));
    assert_eq!(selection.prefixes, ["a/", SECRET]);
    assert!(selection.include_regex.as_ref().unwrap().is_match("x.tif"));
    assert!(selection.exclude_regex.as_ref().unwrap().is_match("axxb"));
    let schedule = pipeline.schedule;
    assert_eq!((schedule.every, schedule.rounds), (Some(Duration::from_secs(3600)), NonZeroU32::new(24)));
    let clock = |hour, minute| civil::time(hour, minute, 0, 0);
    let windows = [(clock(22, 0), clock(6, 0)), (clock(12, 30), clock(0, 0))];
    assert_eq!(schedule.windows, windows.map(|(start, end)| Window { start, end }));
    assert_eq!(schedule.timezone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(pipeline.report, Report { to_sink: true, prefix: "reports/nas-".to_owned(), sha256sums: true });
    let transfer = pipeline.transfer;
    assert_eq!((transfer.overwrite, transfer.verify), (Overwrite::IfNewer, Verify::Size));
    assert_eq!((transfer.workers.get(), transfer.attempts.get()), (12, 7));
    assert_eq!((transfer.part_size, transfer.max_backoff), (ByteSize(64 << 20), Duration::from_secs(120)));
    let limits = ConnectorLimits {
        memory: ByteSize(512 << 20),
        compute_timeout: Duration::from_millis(500),
        call_timeout: Duration::from_secs(300),
        idle_timeout: Duration::from_secs(120),
        listing_timeout: Duration::from_secs(7 * 86_400),
        max_object: ByteSize(100 << 30),
    };
    assert_eq!(pipeline.limits, limits);
}

/// What the report shows of each rule, without what came from a variable.
#[test]
fn rules_are_shown_as_they_are_written() {
    let pipeline = read(&format!(
        r#"
        name = "p"
        tunnel = {{}}
        {ENDS}
        [select]
        max_size = {{ env = "RATE" }}
        exclude_regex = ['~$']
        include = ["**/*.tif", "x\\*"]
        modified_after = 2024-01-01T00:00:00Z
        modified_before = "30d"
        prefixes = ["a/", {{ env = "SECRET" }}]
        "#
    ));
    let shown: Vec<String> = pipeline.selection.hits().into_iter().map(|rule| rule.rule).collect();
    let expected = [
        "prefixes = \"a/\"",
        "prefixes = (from a variable or a file)",
        "include = \"**/*.tif\"",
        "include = \"x\\\\*\"",
        "exclude_regex = \"~$\"",
        "modified_after = 2024-01-01T00:00:00Z",
        "modified_before = \"30d\"",
        "max_size = (from a variable or a file)",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn each_word_of_a_choice_becomes_its_rule() {
    let overwrite =
        |word| read(&format!("name = \"p\"\ntransfer.overwrite = \"{word}\"\n[tunnel]\n{ENDS}")).transfer.overwrite;
    assert_eq!(
        ["never", "always", "if-newer", "if-different"].map(overwrite),
        [Overwrite::Never, Overwrite::Always, Overwrite::IfNewer, Overwrite::IfDifferent]
    );
    let verify = |word| read(&format!("name = \"p\"\ntransfer.verify = \"{word}\"\n[tunnel]\n{ENDS}")).transfer.verify;
    assert_eq!(["checksum", "reread", "size"].map(verify), [Verify::Checksum, Verify::Reread, Verify::Size]);
}

#[test]
fn a_tunnel_can_be_named_and_defined_elsewhere() {
    let pipeline = read(&format!("name = \"p\"\ntunnel = \"express-connect\"\n{ENDS}"));
    assert_eq!(pipeline.tunnel, TunnelRef::Named("express-connect".to_owned()));

    let text = "[tunnels.express-connect]\nmax_bandwidth = { file = \"/run/rate\" }\n[tunnels.free]\n";
    let engine = parse_engine(Path::new("engine.toml"), text, &TestEnvironment::new()).unwrap();
    assert_eq!(engine.tunnels["express-connect"].limits.max_bandwidth, NonZeroU64::new(3 << 20).map(ByteRate));
    assert_eq!(engine.tunnels["free"], Definition::default());
    assert_eq!(engine.tunnels.len(), 2);

    let text = "[tunnels.t]\nmax_requests_per_second = 50\nfloor = \"1 MiB/s\"\ntimezone = \"Europe/Berlin\"\n\
                schedule = [\"mon-fri 08:00-18:00 10 MiB/s\", \"22:00-06:00 unlimited\"]\n";
    let engine = parse_engine(Path::new("engine.toml"), text, &TestEnvironment::new()).unwrap();
    let tunnel = &engine.tunnels["t"];
    assert_eq!(tunnel.floor, NonZeroU64::new(1 << 20).map(ByteRate));
    let shown: Vec<String> = tunnel.schedule.iter().map(culvert_manifest::format_period).collect();
    assert_eq!(shown, ["mon,tue,wed,thu,fri 08:00-18:00 10 MiB/s", "22:00-06:00 unlimited"]);
    assert_eq!(tunnel.schedule[0].timezone().iana_name(), Some("Europe/Berlin"));
}

#[test]
fn an_endpoint_gives_its_configuration_and_its_grants() {
    let pipeline = read(
        r#"
        name = "p"
        [tunnel]
        [source]
        connector = "local"
        path = "data/../in"
        [sink]
        connector = "store"
        endpoint = "https://me:pass@example.com:8443/a?b"
        bucket = "b"
        access_key = "0123456789012345678901234567890"
        retries = { env = "NUMBER" }
        tls = { env = "FLAG" }
        folders = ["/x", { env = "CULVERT_ARCHIVE" }]
        "#,
    );
    let source = schema("local", "source").unwrap();
    assert_eq!(pipeline.source.check(&source).unwrap().expose(), &json!({ "path": "data/../in" }));
    let here = std::env::current_dir().unwrap();
    assert_eq!(pipeline.source.grants(&source), [Grant::Folder(here.join("data/../in"))]);

    let sink = schema("store", "sink").unwrap();
    let config = pipeline.sink.check(&sink).unwrap();
    assert_eq!(config.expose()["retries"], json!(12));
    assert_eq!(config.expose()["tls"], json!(true));
    assert_eq!(config.expose().get("connector"), None);
    let folder = |path| Grant::Folder(PathBuf::from(path));
    let endpoint = Grant::Endpoint("https://example.com:8443".to_owned());
    assert_eq!(pipeline.sink.grants(&sink), [endpoint, folder("/x"), folder("/srv/archive")]);
}

/// The samples are read by the parser, checked by the connector's schema, and taken by the schema
/// for editors.
#[test]
fn the_samples_are_good() {
    let (source, sink) = (schema("local", "source").unwrap(), schema("local", "sink").unwrap());
    let local = ConnectorSchemas { name: "local", source: Some(&source), sink: Some(&sink), transform: None };
    let editor = jsonschema::validator_for(&pipeline_schema(&[local])).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    for name in ["quickstart.toml", "local-to-local.toml"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        // With every key that's commented out too.
        let full: String = text.lines().map(|line| uncommented(line) + "\n").collect();
        for text in [&text, &full] {
            let pipeline = read(text);
            pipeline.source.check(&source).unwrap_or_else(|problems| panic!("{}", problems.render()));
            pipeline.sink.check(&sink).unwrap_or_else(|problems| panic!("{}", problems.render()));
            let json = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
            let errors: Vec<String> = editor.iter_errors(&json).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
}

fn uncommented(line: &str) -> String {
    let key =
        line.strip_prefix("# ").filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', ':'])));
    key.unwrap_or(line).to_owned()
}

#[test]
fn the_editors_schema_refuses_what_the_parser_refuses() {
    let source = schema("local", "source").unwrap();
    let local = ConnectorSchemas { name: "local", source: Some(&source), sink: None, transform: None };
    let editor = jsonschema::validator_for(&pipeline_schema(&[local])).unwrap();
    let good = json!({
        "name": "p", "tunnel": {}, "select": {}, "schedule": {}, "report": {},
        "source": { "connector": "local", "path": { "env": "A" } },
        "sink": { "connector": "./other.wasm", "anything": 1 },
    });
    assert!(editor.is_valid(&good));
    for (pointer, value) in [
        ("/name", json!("Bad Name")),
        ("/tunnel", json!({ "max_bandwidth": "50mb" })),
        ("/tunnel", json!(5)),
        ("/select", json!({ "prefixes": ["/a"] })),
        ("/select", json!({ "include_regex": "a" })),
        ("/schedule", json!({ "window": ["9-17"] })),
        ("/schedule", json!({ "every": 60 })),
        ("/report", json!({ "to_sink": "yes" })),
        ("/source", json!({ "connector": "local" })),
        ("/source", json!({ "connector": "local", "path": "a", "symlink": "keep" })),
        ("/sink", json!({ "anything": 1 })),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!editor.is_valid(&bad), "{bad}");
    }
}

#[test]
fn this_process_gives_its_variables() {
    let text = format!("name = {{ env = \"CARGO_PKG_NAME\" }}\n[tunnel]\n{ENDS}");
    let pipeline = parse(Path::new("good.toml"), &text, &ProcessEnvironment).unwrap();
    assert_eq!(pipeline.name, "culvert-manifest");
}
