//! A large bucket: its listing isn't kept in memory, and objects move before it ends.

use crate::harness::{
    Ended, Scratch, peak_kib,
    seaweed::{ACCESS_KEY, SECRET, Seaweed, end},
    store::Store,
    wire::{Canned, Wire},
};

/// Pages of a thousand, of a real server: filling one with more takes minutes.
const OBJECTS: u64 = 5000;
/// Peak memory of a run with two workers in KiB, whatever the bucket holds.
const MAX_PEAK_KIB: u64 = 96 * 1024;

#[test]
fn pages_are_moved_as_they_come() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    moves_pages(&scratch, &server);
}

pub(crate) fn moves_pages(scratch: &Scratch, server: &dyn Store) {
    server.ask(&["numbered", "archive", &OBJECTS.to_string()]);
    let sink = format!("{}\nfsync = false", scratch.local("sink"));
    let pipeline = scratch.pipeline_between(&server.bucket("archive"), &sink, "[transfer]\nworkers = 2");
    // Compiles the connectors: what that takes isn't the listing's.
    scratch.engine(&["check", pipeline.to_str().unwrap()]).expect_code(0);
    let (ended, peak) = watched(scratch, &pipeline);
    assert_eq!(ended.objects("moved"), OBJECTS);
    eprintln!("peak {peak} KiB");
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}

/// Runs a pipeline to its end; with its peak memory in KiB.
fn watched(scratch: &Scratch, pipeline: &std::path::Path) -> (Ended, u64) {
    let mut running = scratch.start(&["run", "--json", pipeline.to_str().unwrap()]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(peak_kib(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ended = running.wait();
    ended.expect_code(0);
    (ended, peak)
}

/// How many empty objects the proxy makes up for a bucket.
fn made_up(line: &str) -> Option<u64> {
    [("/many", 100_000), ("/few", 10_000)].iter().find(|(bucket, _)| line.contains(bucket)).map(|(_, count)| *count)
}

fn made_up_key(number: u64) -> String {
    format!("{:04}/{number:07}", number / 1000)
}

/// A page of a made-up bucket, or one of its objects.
fn made_up_answer(line: &str) -> Option<Canned> {
    let count = made_up(line)?;
    if !line.contains("list-type=2") {
        let headers = "etag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
        return Some(Canned { status: 200, headers, body: String::new() });
    }
    let value = |name: &str| {
        let (_, rest) = line.split_once(&format!("{name}="))?;
        rest.split(['&', ' ']).next().filter(|value| !value.is_empty())
    };
    let first = match (value("continuation-token"), value("start-after")) {
        (Some(token), _) => token.parse().unwrap(),
        (None, Some(after)) => {
            let after = after.replace("%2F", "/");
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = low.midpoint(high);
                (low, high) = if made_up_key(middle) > after { (low, middle) } else { (middle + 1, high) };
            }
            low
        }
        (None, None) => 0,
    };
    let behind = (first + 1000).min(count);
    let contents: String = (first..behind)
        .map(|number| {
            let key = made_up_key(number).replace('/', "%2F");
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>0</Size></Contents>"
            )
        })
        .collect();
    let more = match behind < count {
        true => format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{behind}</NextContinuationToken>"),
        false => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    let body = format!("<ListBucketResult><EncodingType>url</EncodingType>{more}{contents}</ListBucketResult>");
    Some(Canned { status: 200, headers: "", body })
}

#[test]
fn a_hundred_thousand_objects_take_no_more_memory_than_ten_thousand() {
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &[]);
    lists_ahead(&scratch, &server, |endpoint, bucket| {
        end(endpoint, bucket, ACCESS_KEY, SECRET).replace("ordered_listing = false", "ordered_listing = true")
    });
}

/// `end`: the keys of an end at a bucket of a server at an endpoint.
pub(crate) fn lists_ahead(scratch: &Scratch, server: &dyn Store, end: fn(&str, &str) -> String) {
    let mut peaks = Vec::new();
    for bucket in ["few", "many"] {
        scratch.forget();
        let wire = Wire::answering(server.port(), made_up_answer);
        let source = end(&wire.endpoint(), bucket);
        // One in a thousand is moved, all are listed and looked at.
        let more = "[select]\ninclude = [\"**/*000\"]\n[transfer]\nworkers = 2";
        let sink = format!("{}\nfsync = false", scratch.local(bucket));
        let pipeline = scratch.pipeline_between(&source, &sink, more);
        // Compiles the connectors: what that takes isn't the listing's.
        scratch.engine(&["check", pipeline.to_str().unwrap()]).expect_code(0);
        let checked = wire.lines().len();
        let (ended, peak) = watched(scratch, &pipeline);
        let count = made_up(&format!("/{bucket}")).unwrap();
        assert_eq!((ended.objects("listed"), ended.objects("moved")), (count, count / 1000));
        let lines: Vec<String> = wire.lines().into_iter().skip(checked).map(|(_, line)| line).collect();
        let is_page = |line: &String| line.contains("list-type=2");
        let pages = lines.iter().filter(|line| is_page(line)).count() as u64;
        let ahead = lines.iter().filter(|line| is_page(line) && line.contains("start-after=")).count() as u64;
        eprintln!("{count} objects: {pages} pages, {ahead} of them by key, peak {peak} KiB");
        // Several at a time, without many in vain.
        assert!(pages <= count / 1000 * 13 / 10 + 8 && ahead > 0, "{pages} pages, {ahead} by key");
        let first_read = lines.iter().position(|line| !is_page(line)).unwrap();
        assert!(first_read < lines.iter().rposition(is_page).unwrap(), "nothing moved before the listing ended");
        peaks.push(peak);
    }
    assert!(peaks[1] < peaks[0] + 16 * 1024, "{peaks:?}");
}

#[test]
fn a_listing_out_of_order_says_what_to_set() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    std::fs::create_dir_all(scratch.path("filled/b")).unwrap();
    std::fs::write(scratch.path("filled/b/1"), "").unwrap();
    std::fs::write(scratch.path("filled/b.txt"), "").unwrap();
    server.client(&["fill", "archive", scratch.path("filled").to_str().unwrap()]);
    let ordered = server.end("archive").replace("ordered_listing = false", "ordered_listing = true");
    let ended = scratch.run(&scratch.pipeline_between(&ordered, &scratch.local("sink"), ""));
    assert_ne!(ended.code, Some(0));
    assert!(ended.output.contains("set ordered_listing = false"), "{}{}", ended.output, ended.errors);
}
