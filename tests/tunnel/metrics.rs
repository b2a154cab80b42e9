//! `engine run --metrics-listen`: what a scraper reads while a run works, and at its end.

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::ffi::OsStrExt,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::refused;
use crate::harness::{Running, Scratch, ftp::free_port, tree::Random};

/// What a run says within it is what it will say.
const DEADLINE: Duration = Duration::from_secs(60);
const LABELS: &str = r#"pipeline="test",tunnel="line",agent="nas",source="local",sink="local""#;

fn asked(address: &str, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The value of one series.
fn figure(text: &str, name: &str, label: &str) -> f64 {
    let comma = if label.is_empty() { "" } else { "," };
    let series = format!("{name}{{{LABELS}{comma}{label}}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("no {series}in {text}")).parse().unwrap()
}

fn summary(running: &Running, begin: Instant) -> Value {
    loop {
        let printed = running.printed();
        let mut whole = printed.lines().filter(|line| line.ends_with('}') && line.contains("\"summary\""));
        if let Some(line) = whole.next_back() {
            return serde_json::from_str(line).unwrap();
        }
        assert!(begin.elapsed() < DEADLINE, "{printed}{}", running.logged());
    }
}

#[test]
fn a_scraper_reads_what_the_summary_says() {
    let scratch = Scratch::new();
    Random::seeded().fill(&scratch.path("source"), (0..50).map(|_| 20_000));
    fs::write(scratch.path("source").join(OsStr::from_bytes(b"\xff")), "its name is no key").unwrap();
    scratch.engine(&["tunnel", "create", "line", "--max-bandwidth", "500 kB/s"]).expect_code(0);
    scratch.engine(&["agent", "create", "nas", "--tunnel", "line"]).expect_code(0);
    let pipeline = scratch.path("pipeline.toml");
    let ends = format!("[source]\n{}\n[sink]\n{}\n", scratch.local("source"), scratch.local("sink"));
    // It stays for its next round, and can be asked about this one.
    let every = "[schedule]\nevery = \"1h\"\n";
    fs::write(&pipeline, format!("name = \"test\"\ntunnel = \"line\"\n{ends}{every}")).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let file = pipeline.to_str().unwrap();
    let running = scratch.start_apart(&["run", "--json", file, "--agent", "nas", "--metrics-listen", address.as_str()]);
    let begin = Instant::now();
    let early = loop {
        match asked(&address, "GET", "/metrics") {
            Ok(text) if text.contains("culvert_rounds_total") => break text,
            _ => assert!(begin.elapsed() < DEADLINE, "{}", running.logged()),
        }
    };
    assert!(early.starts_with("HTTP/1.1 200 OK\r\n"), "{early}");
    assert!(early.contains("content-type: text/plain; version=0.0.4"), "{early}");

    let summary = summary(&running, begin);
    let text = asked(&address, "GET", "/metrics").unwrap();
    let objects = |outcome: &str| figure(&text, "culvert_objects_total", &format!("outcome=\"{outcome}\""));
    for outcome in ["moved", "skipped", "failed"] {
        assert_eq!(objects(outcome), summary["objects"][outcome].as_f64().unwrap(), "{outcome}");
    }
    assert_eq!((objects("moved"), objects("failed")), (50.0, 1.0));
    for (name, figures) in [
        ("culvert_objects_listed_total", &summary["objects"]["listed"]),
        ("culvert_objects_deleted_total", &summary["objects"]["deleted"]),
        ("culvert_objects_repaired_total", &summary["objects"]["repaired"]),
        ("culvert_object_bytes_moved_total", &summary["bytes"]["moved"]),
        ("culvert_retries_total", &summary["retries"]),
    ] {
        assert_eq!(figure(&text, name, ""), figures.as_f64().unwrap(), "{name}");
    }
    let bytes = 50.0 * 20_000.0;
    assert_eq!(figure(&text, "culvert_bytes_total", "direction=\"to_sink\""), bytes);
    assert_eq!(figure(&text, "culvert_tunnel_bytes_total", ""), bytes);
    assert_eq!(figure(&text, "culvert_tunnel_requests_total", ""), 0.0);
    assert_eq!(figure(&text, "culvert_errors_total", "outcome=\"failed\",code=\"invalid-key\""), 1.0);
    assert!(figure(&text, "culvert_tunnel_waited_seconds_total", "budget=\"bytes\"") > 0.0, "{text}");
    assert_eq!(figure(&text, "culvert_in_flight", ""), 0.0);
    assert!(objects("moved") >= figure(&early, "culvert_objects_total", "outcome=\"moved\""));

    assert!(asked(&address, "GET", "/").unwrap().starts_with("HTTP/1.1 404 "));
    assert!(asked(&address, "POST", "/metrics").unwrap().starts_with("HTTP/1.1 405 "));
    // Two can't listen on one port.
    let other = scratch.pipeline("");
    fs::write(&other, fs::read_to_string(&other).unwrap().replace("\"test\"", "\"other\"")).unwrap();
    refused(&scratch.engine(&["run", other.to_str().unwrap(), "--metrics-listen", &address]), "--metrics-listen");
    running.signal(Signal::SIGTERM);
    running.wait().expect_code(130);
}
