//! A registry that lies, a way that changes what passes, a disk that was written to: nothing is run that
//! isn't what was asked for, and nothing of it is kept.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use serde_json::json;

use super::{Stage, count, refused};
use crate::harness::{Ended, Scratch, peak_kib, registry::component};

/// Most memory that a pull may take of a manifest without an end, in KiB: far more than it may keep.
const MAX_PEAK_KIB: u64 = 100 * 1024;

/// Answers a path's last part; the writer is the connection, with no head sent yet.
type Answer = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// A server that answers as it likes. Its thread ends with the test's process.
fn liar(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let answer: Arc<Answer> = Arc::new(answer);
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                answer(first.split(' ').nth(1).unwrap_or_default(), &mut client);
            });
        }
    });
    name
}

fn ok(client: &mut TcpStream, body: &[u8]) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // Whoever doesn't want it closes the connection.
    let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(body));
}

/// A body that never ends; says when nobody takes it any more.
fn endless(client: &mut TcpStream) {
    let _ = client.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    while client.write_all(&chunk).is_ok() {}
}

fn manifest(size: usize, digest: &str) -> Vec<u8> {
    let config = json!({ "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest, "size": 2 });
    let layer = json!({ "mediaType": "application/wasm", "digest": digest, "size": size });
    json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string().into_bytes()
}

/// A pull that ends with nothing in the cache.
fn pull(scratch: &Scratch, reference: &str) -> Ended {
    let pulling = scratch.start(&["connector", "pull", reference]);
    let pid = pulling.pid();
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        while let Some(kib) = peak_kib(pid) {
            peak = kib.max(peak);
            thread::sleep(std::time::Duration::from_millis(5));
        }
        peak
    });
    let ended = pulling.wait();
    let peak = watcher.join().unwrap();
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
    assert_eq!(count(&scratch.path("state/connectors/sha256")), 0);
    ended
}

#[test]
fn a_blob_that_was_changed_in_the_registry_is_refused() {
    let stage = Stage::new();
    let pushed = stage.push("", "1");
    let blob = stage.registry.blob(&pushed.sha256);
    let mut bytes = fs::read(&blob).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    let refusal = pull(&stage.scratch, &pushed.reference);
    refused(&refusal, 1, &[&pushed.sha256, "instead of"]);
    // The pipeline that names it moves nothing.
    refused(&stage.scratch.run(&stage.pipeline(&pushed.reference, "")), 1, &[&pushed.sha256]);
    assert!(!stage.scratch.path("sink").exists());
    // Shorter, and longer than its manifest says.
    fs::write(&blob, &component("")[..1000]).unwrap();
    refused(&pull(&stage.scratch, &pushed.reference), 1, &[&pushed.sha256]);
    fs::write(&blob, component("longer")).unwrap();
    refused(&pull(&stage.scratch, &pushed.reference), 1, &["longer than"]);
    fs::write(&blob, component("")).unwrap();
    stage.scratch.engine(&["connector", "pull", &pushed.reference]).expect_code(0);
}

#[test]
fn what_was_changed_on_this_disk_is_refused() {
    let stage = Stage::new();
    let pushed = stage.push("", "1");
    let pipeline = stage.pipeline(&pushed.reference, "");
    stage.check(&stage.scratch.run(&pipeline));
    for hex in [&pushed.sha256, &pushed.digest] {
        let kept = stage.scratch.path("state/connectors/sha256").join(hex);
        let before = fs::read(&kept).unwrap();
        fs::write(&kept, [&before[..], b"\0"].concat()).unwrap();
        refused(&stage.scratch.run(&pipeline), 1, &[hex, "changed on this disk", "remove the file"]);
        // What the message says helps.
        fs::remove_file(&kept).unwrap();
        stage.check(&stage.scratch.run(&pipeline));
    }
}

#[test]
fn a_manifest_that_is_not_the_one_asked_for_is_refused() {
    let scratch = Scratch::new();
    let digest = format!("sha256:{}", "0a".repeat(32));
    let name = liar(move |path, client| match path {
        "/v2/" => ok(client, b"{}"),
        _ => ok(client, &manifest(9, &format!("sha256:{}", "0b".repeat(32)))),
    });
    refused(&pull(&scratch, &format!("oci://{name}/a@{digest}")), 1, &[&digest, "instead of"]);
}

#[test]
fn a_component_on_the_way_is_changed_in_vain() {
    let scratch = Scratch::new();
    let wanted = format!("sha256:{}", "0b".repeat(32));
    let layer = wanted.clone();
    let name = liar(move |path, client| match path {
        "/v2/" => ok(client, b"{}"),
        _ if path.contains("/manifests/") => ok(client, &manifest(9, &layer)),
        _ => ok(client, b"component"),
    });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &[&wanted, "instead of"]);
}

#[test]
fn sizes_are_bounded() {
    let digest = format!("sha256:{}", "0b".repeat(32));
    let huge = manifest((256 << 20) + 1, &digest);
    let scratch = Scratch::new();
    let name = liar(move |path, client| if path == "/v2/" { ok(client, b"{}") } else { ok(client, &huge) });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &["268435457", "at most"]);
    // A length that's announced.
    let name = liar(|path, client| {
        if path == "/v2/" {
            return ok(client, b"{}");
        }
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{");
        let _ = client.read(&mut [0]);
    });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &["longer than 1048576 bytes"]);
    // One that isn't.
    let name = liar(|path, client| if path == "/v2/" { ok(client, b"{}") } else { endless(client) });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &["longer than 1048576 bytes"]);
    // The layer, longer than its manifest says.
    let layer = digest.clone();
    let name = liar(move |path, client| match path {
        "/v2/" => ok(client, b"{}"),
        _ if path.contains("/manifests/") => ok(client, &manifest(9, &layer)),
        _ => endless(client),
    });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &["longer than 9 bytes"]);
}

#[test]
fn a_registry_that_sends_one_around_is_left() {
    let scratch = Scratch::new();
    let name = liar(|path, client| match path {
        "/v2/" => ok(client, b"{}"),
        _ => {
            let head =
                format!("HTTP/1.1 307 Moved\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = client.write_all(head.as_bytes());
        }
    });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &["redirects too often"]);
    // Nowhere that plain HTTP isn't allowed to: nobody is asked there.
    let name = liar(|path, client| match path {
        "/v2/" => ok(client, b"{}"),
        _ => {
            let head = "HTTP/1.1 307 Moved\r\nLocation: http://registry.test/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = client.write_all(head.as_bytes());
        }
    });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 1, &["plain http"]);
    let name = liar(|_, client| {
        let _ = client.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 3, &["answers 500"]);
    let name = liar(|_, _| ());
    refused(&pull(&scratch, &format!("oci://{name}/a:1")), 3, &["can't be reached"]);
}
