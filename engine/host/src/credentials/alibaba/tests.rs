//! Each place by itself and in its order, the metadata service played by a thread on loopback.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use super::*;

/// A metadata service that has one role, and the requests that it got.
struct Fake {
    url: String,
    lines: Arc<Mutex<Vec<String>>>,
}

const LASTING: &str = r#"{"Code": "Success", "AccessKeyId": "STS.1", "AccessKeySecret": "hunter2",
    "SecurityToken": "t", "Expiration": "2030-01-01T00:00:00Z"}"#;
const LATE: &str = r#"{"Code": "Success", "AccessKeyId": "STS.1", "AccessKeySecret": "hunter2",
    "SecurityToken": "t", "Expiration": "2020-01-01T00:00:00Z"}"#;

/// How the fake deals with tokens.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// It knows none.
    Plain,
    /// Nothing is told without one.
    Hardened,
    /// It knows none, and what it gives has ended already.
    Late,
}

impl Fake {
    fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it's bound"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(connection);
                let head: Vec<String> = reader
                    .by_ref()
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .map(|line| line.to_ascii_lowercase())
                    .collect();
                let line = head.first().cloned().unwrap_or_default();
                let has = |header: &str| head.iter().any(|it| it.starts_with(header));
                let proven = mode != Mode::Hardened || has("x-aliyun-ecs-metadata-token: token-1");
                let (status, body) = match line.as_str() {
                    it if it.starts_with("put /latest/api/token") => {
                        let asked = has("x-aliyun-ecs-metadata-token-ttl-seconds:");
                        if mode == Mode::Hardened && asked { (200, "token-1") } else { (404, "") }
                    }
                    _ if !proven => (403, ""),
                    it if it.starts_with("get /latest/meta-data/ram/security-credentials/ ") => (200, "ops"),
                    it if it.starts_with("get /latest/meta-data/ram/security-credentials/ops ") => {
                        (200, if mode == Mode::Late { LATE } else { LASTING })
                    }
                    _ => (404, ""),
                };
                seen.lock().expect("nobody panics with it").push(line);
                let answer =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                // A client that's gone has given up.
                let _ = reader.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { url, lines }
    }
}

fn places(metadata: &str, variables: &[(&str, &str)]) -> Places {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Places { choice: Choice::default(), variables, home: None, metadata: metadata.to_owned() }
}

/// A home with profiles of every mode.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder can be made");
    std::fs::create_dir(home.path().join(".aliyun")).expect("it's empty");
    let file = r#"{"current": "main", "profiles": [
        {"name": "main", "mode": "AK", "access_key_id": "file-key", "access_key_secret": "s"},
        {"name": "sts", "mode": "StsToken", "access_key_id": "sts-key", "access_key_secret": "s", "sts_token": "t"},
        {"name": "ecs", "mode": "EcsRamRole", "ram_role_name": "ops"},
        {"name": "arn", "mode": "RamRoleArn"}, {"name": "empty", "mode": "AK", "access_key_id": ""}]}"#;
    std::fs::write(home.path().join(".aliyun/config.json"), file).expect("it can be written");
    home
}

fn key(found: Result<Credential, String>) -> (String, Option<String>) {
    let found = found.unwrap_or_else(|problem| panic!("{problem}"));
    (found.access_key, found.session_token)
}

const NOBODY: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn the_environment_comes_before_a_profile() {
    let home = home();
    let mut places = places(NOBODY, &[("ACCESS_KEY_ID", "k"), ("ACCESS_KEY_SECRET", "s"), ("SECURITY_TOKEN", "t")]);
    places.home = Some(home.path().to_owned());
    assert_eq!(key(places.find().await), ("k".into(), Some("t".into())));
    places.choice.profile = Some("main".into());
    assert_eq!(key(places.find().await), ("file-key".into(), None));
}

#[tokio::test]
async fn every_mode_of_a_profile_is_known_or_named() {
    let (home, fake) = (home(), Fake::start(Mode::Hardened));
    let mut places = places(&fake.url, &[("PROFILE", "sts")]);
    places.home = Some(home.path().to_owned());
    assert_eq!(key(places.find().await), ("sts-key".into(), Some("t".into())));
    places.variables.clear();
    assert_eq!(key(places.find().await).0, "file-key");
    places.choice.profile = Some("ecs".into());
    assert_eq!(key(places.find().await).0, "STS.1");
    for (name, word) in [("arn", "RamRoleArn"), ("empty", "has no key"), ("none", "has no profile")] {
        places.choice.profile = Some(name.into());
        assert!(places.find().await.is_err_and(|problem| problem.contains(word)), "{name}");
    }
}

#[tokio::test]
async fn a_hardened_instance_is_asked_with_a_token_and_a_plain_one_without() {
    for mode in [Mode::Hardened, Mode::Plain] {
        let fake = Fake::start(mode);
        let found = places(&fake.url, &[]).find().await.unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!((found.access_key.as_str(), found.session_token.as_deref()), ("STS.1", Some("t")));
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000);
        assert_eq!(found.expires, Some(end));
        assert_eq!(fake.lines.lock().expect("nobody panics with it").len(), 3);
    }
}

#[tokio::test]
async fn a_named_role_is_asked_for_alone() {
    let fake = Fake::start(Mode::Hardened);
    let mut places = places(&fake.url, &[("ACCESS_KEY_ID", "k"), ("ACCESS_KEY_SECRET", "s")]);
    places.choice.role = Some("ops".into());
    assert_eq!(key(places.find().await).0, "STS.1");
    assert_eq!(fake.lines.lock().expect("nobody panics with it").len(), 2);
    places.choice.role = Some("other".into());
    assert!(places.find().await.is_err_and(|problem| problem.contains("status 404")));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let plain = Fake::start(Mode::Plain);
    for places in [
        places(NOBODY, &[]),
        places(&plain.url, &[("ECS_METADATA_DISABLED", "true")]),
        places(&plain.url, &[("IMDSV1_DISABLED", "true")]),
    ] {
        let problem = places.find().await.err().unwrap_or_default();
        assert!(problem.contains("ALIBABA_CLOUD_ACCESS_KEY_ID") && !problem.contains("hunter2"), "{problem}");
    }
}

#[tokio::test]
async fn a_credential_is_asked_for_again_only_when_it_ends() {
    for (mode, requests) in [(Mode::Plain, 3), (Mode::Late, 9)] {
        let fake = Fake::start(mode);
        let credentials = super::super::Credentials::of_places(places(&fake.url, &[]));
        for _ in 0..3 {
            let found = credentials.get().await.unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!(found.map(|it| it.access_key).as_deref(), Some("STS.1"));
        }
        assert_eq!(fake.lines.lock().expect("nobody panics with it").len(), requests);
    }
}
