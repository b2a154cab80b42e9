//! Keys from where AWS tools look for them: each place once, with a real run at a server that checks
//! signatures. The metadata services and the token service are played by a proxy that answers itself.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::harness::{
    Scratch,
    seaweed::{ACCESS_KEY, SECOND_KEY, SECOND_SECRET, SECRET, Seaweed},
    store::Store,
    wire::{Canned, Wire},
};

/// The keys of an end whose credentials are elsewhere.
fn end_without_keys(server: &Seaweed, endpoint: &str) -> String {
    let end = server.end_at(endpoint, "archive");
    let lines = end.lines().filter(|line| !line.starts_with("access_key_id") && !line.starts_with("secret_access_key"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Runs one object into the bucket with these variables, and nothing else that says who one is.
fn moves(scratch: &Scratch, server: &Seaweed, variables: &[(&str, &str)], more: &str) {
    scratch.forget();
    fs::create_dir_all(scratch.path("source")).unwrap();
    fs::write(scratch.path("source/a"), "a").unwrap();
    let sink = format!("{}\n{more}", end_without_keys(server, &server.endpoint()));
    let pipeline = scratch.pipeline_between(&scratch.local("source"), &sink, "[transfer]\noverwrite = \"always\"");
    let nowhere = [("HOME", "/nonexistent"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")];
    let variables: Vec<_> = nowhere.iter().chain(variables).copied().collect();
    let ended = scratch.start_as(&["run", "--json", pipeline.to_str().unwrap()], &variables).wait();
    ended.expect_code(0);
    assert_eq!(ended.objects("moved"), 1);
    assert!(!format!("{}{}", ended.output, ended.errors).contains(SECRET));
}

fn later(seconds: i64) -> String {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn found(access_key: &str, secret: &str, seconds: i64) -> Canned {
    let body = format!(
        "{{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"LastUpdated\":\"{}\",\"AccessKeyId\":\"{access_key}\",\
         \"SecretAccessKey\":\"{secret}\",\"Token\":\"\",\"Expiration\":\"{}\"}}",
        later(-60),
        later(seconds)
    );
    Canned { status: 200, headers: "", body }
}

#[test]
fn environment_and_profile() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    moves(&scratch, &server, &[("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)], "");
    let file = scratch.path("credentials");
    fs::write(&file, format!("[archive]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET}\n"))
        .unwrap();
    let named = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
    moves(&scratch, &server, &named, "profile = \"archive\"");
}

#[test]
fn a_containers_and_a_machines_metadata_service() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let container = Wire::answering(server.port(), |_| Some(found(ACCESS_KEY, SECRET, 3600)));
    let url = format!("{}/credentials", container.endpoint());
    moves(&scratch, &server, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)], "");
    assert_eq!(container.requests(), 1, "{:?}", container.lines());

    let machine = Wire::answering(server.port(), |line| {
        let plain = |body: &str, headers| Some(Canned { status: 200, headers, body: body.to_owned() });
        match line.split(' ').nth(1)? {
            "/latest/api/token" => plain("token", "x-aws-ec2-metadata-token-ttl-seconds: 600\r\n"),
            "/latest/meta-data/iam/security-credentials/" => plain("role", ""),
            "/latest/meta-data/iam/security-credentials/role" => Some(found(ACCESS_KEY, SECRET, 3600)),
            _ => Some(Canned { status: 404, headers: "", body: String::new() }),
        }
    });
    moves(&scratch, &server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &machine.endpoint())], "");
    assert!(machine.requests() >= 3, "{:?}", machine.lines());
}

#[test]
fn web_identity() {
    let scratch = Scratch::new();
    let server = Seaweed::start(&scratch, &["archive"]);
    let tokens = Wire::answering(server.port(), |_| {
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><AssumedRoleUser><AssumedRoleId>a:b</AssumedRoleId><Arn>arn:aws:sts::1:\
             assumed-role/r/b</Arn></AssumedRoleUser><Credentials><AccessKeyId>{ACCESS_KEY}</AccessKeyId>\
             <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken></SessionToken><Expiration>{}</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
            later(3600)
        );
        Some(Canned { status: 200, headers: "", body })
    });
    let file = scratch.path("token");
    fs::write(&file, "a.web.token").unwrap();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_STS", &tokens.endpoint()),
    ];
    moves(&scratch, &server, &variables, "");
    assert_eq!(tokens.requests(), 1, "{:?}", tokens.lines());
}

/// Five minutes before its end a key is renewed, and running instances sign with the new one.
#[test]
fn a_key_is_renewed_while_the_run_goes_on() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let scratch = Scratch::in_memory();
    let server = Seaweed::start(&scratch, &["archive"]);
    let container = Wire::answering(server.port(), |_| {
        Some(match ASKED.fetch_add(1, Ordering::Relaxed) {
            0 => found(ACCESS_KEY, SECRET, 5 * 60 + 3),
            _ => found(SECOND_KEY, SECOND_SECRET, 3600),
        })
    });
    fs::create_dir_all(scratch.path("source")).unwrap();
    (0..250).for_each(|number| fs::write(scratch.path("source").join(number.to_string()), "x").unwrap());
    let wire = Wire::before(server.port());
    let sink = end_without_keys(&server, &wire.endpoint());
    let more = "[tunnel]\nmax_requests_per_second = 25\n[transfer]\nworkers = 2\noverwrite = \"always\"";
    let pipeline = scratch.pipeline_between(&scratch.local("source"), &sink, more);
    let url = format!("{}/credentials", container.endpoint());
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()), ("HOME", "/nonexistent")];
    let ended = scratch.start_as(&["run", "--json", pipeline.to_str().unwrap()], &variables).wait();
    ended.expect_code(0);
    assert_eq!((ended.objects("moved"), container.requests()), (250, 2));
    let by = |key: &str| wire.heads().iter().filter(|(_, head)| head.contains(&format!("Credential={key}"))).count();
    assert!(by(ACCESS_KEY) > 0 && by(SECOND_KEY) > 0, "{} and {}", by(ACCESS_KEY), by(SECOND_KEY));
    assert!(ended.took > Duration::from_secs(3));
}
