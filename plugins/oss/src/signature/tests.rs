//! Signatures against published figures, and byte for byte against those of the official SDKs
//! (`tests/harness/oss/vectors.py`) over seeded requests with odd keys, queries and headers.

use std::{path::Path, process::Command};

use serde::Deserialize;

use super::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// 2026-11-22T21:23:14Z.
const NOW: i64 = 1_795_382_594;

/// A request and the header that an SDK made for it.
#[derive(Deserialize)]
struct Vector {
    version: Version,
    region: String,
    bucket: String,
    access_key: String,
    secret: String,
    token: Option<String>,
    now: i64,
    method: String,
    key: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    authorization: String,
}

fn signer() -> Signer {
    let secret = "fakeSecretfakeSecretfakeSecret".to_owned();
    Signer { access_key: "LTAI5tFAKEKEYFAKEKEY".to_owned(), secret, token: None }
}

fn v4(draft: Draft) -> String {
    let scope = Scope { version: Version::V4, region: "cn-hangzhou", bucket: "examplebucket" };
    signer().sign(draft, scope, NOW).value("authorization").to_owned()
}

/// Made with alibabacloud-oss-v2 1.4.1.
#[test]
fn known_signatures() {
    let put = Draft::of_object("PUT", "dir/exämple obj+1.txt")
        .header("content-type", "text/plain")
        .header("x-oss-meta-mtime", "1700000000")
        .header("x-oss-forbid-overwrite", "false");
    let prefix =
        "OSS4-HMAC-SHA256 Credential=LTAI5tFAKEKEYFAKEKEY/20261122/cn-hangzhou/oss/aliyun_v4_request,Signature=";
    let expected = "0c1133b6cc5264144312ef099d58da6ba89e65002103e7bd52d7a45cc22b2ef9";
    assert_eq!(v4(put), format!("{prefix}{expected}"));
    let get = Draft::of_object("GET", "dir/exämple obj+1.txt");
    let expected = "073e0dab2865a0d77a480a59ec0118572a909208ffd2773c17704604e4753f15";
    assert_eq!(v4(get), format!("{prefix}{expected}"));
}

#[test]
fn the_canonical_request_names_the_bucket_and_empty_values_stand_alone() {
    let draft = Draft::of_bucket("GET").query("uploads", "").query("encoding-type", "url");
    assert_eq!(
        v4::canonical(&draft.header("range", "bytes=0-1").header("x-oss-a", " b "), "archive"),
        "GET\n/archive/\nencoding-type=url&uploads\nx-oss-a:b\n\n\nUNSIGNED-PAYLOAD"
    );
}

#[test]
fn signatures_are_those_of_the_official_sdks() {
    let python = Path::new(ROOT).join(".venv/bin/python");
    let script = Path::new(ROOT).join("tests/harness/oss/vectors.py");
    let seed = std::env::var("CULVERT_TEST_SEED").unwrap_or_else(|_| "20261122".to_owned());
    eprintln!("CULVERT_TEST_SEED={seed}");
    let made = Command::new(&python).arg(script).arg(seed).output();
    let made = made.unwrap_or_else(|error| panic!("{} can't be started ({error}); see tests/run", python.display()));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let vectors: Vec<Vector> = serde_json::from_slice(&made.stdout).expect("the script prints vectors");
    for version in [Version::V4, Version::V1] {
        assert!(vectors.iter().filter(|it| it.version == version).count() >= 300);
    }
    for it in vectors {
        let method = if it.method == "PUT" {
            "PUT"
        } else if it.method == "POST" {
            "POST"
        } else {
            "GET"
        };
        let draft = Draft { method, key: it.key.clone(), query: it.query, headers: it.headers };
        let signer = Signer { access_key: it.access_key, secret: it.secret, token: it.token };
        let scope = Scope { version: it.version, region: &it.region, bucket: &it.bucket };
        let signed = signer.sign(draft, scope, it.now);
        assert_eq!(signed.value("authorization"), it.authorization, "{method} {:?} {:?}", it.key, signed.query);
    }
}

#[test]
fn prints_no_secret() {
    assert!(!format!("{:?}", signer()).contains("Secret"));
}
