//! Signatures against AWS's published examples, and against those of the SDK's own signer over seeded
//! requests with odd keys, queries and headers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use proptest::prelude::*;

use super::*;

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z.
const NOW: i64 = 1_369_353_600;

fn credential(token: Option<&str>) -> Credential {
    let (access_key, secret) = (ACCESS_KEY.to_owned(), SECRET.to_owned());
    Credential { access_key, secret, session_token: token.map(str::to_owned), expires: None }
}

fn authorization(signer: &Signer, draft: Draft<'_>, payload: Payload, token: Option<&str>, now: i64) -> String {
    let address = Address::example();
    let path = address.path(&draft);
    let headers = signer.sign(draft, &path, payload, &address, &credential(token), now);
    let (_, value) = headers.into_iter().find(|(name, _)| name == "authorization").unwrap();
    String::from_utf8(value).unwrap()
}

/// "Examples: Signature calculations in AWS Signature Version 4", the first of them.
#[test]
fn a_published_example() {
    let draft = Draft::new("GET", "test.txt").header("range", "bytes=0-9");
    let expected = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                    SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
                    Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    assert_eq!(authorization(&Signer::default(), draft, Payload::Empty, None, NOW), expected);
}

#[test]
fn the_key_is_that_of_the_day() {
    let signer = Signer::default();
    let at = |signer: &Signer, now| authorization(signer, Draft::new("GET", "a"), Payload::Empty, None, now);
    for now in [NOW, NOW + 86_399, NOW + 86_400, NOW] {
        assert_eq!(at(&signer, now), at(&Signer::default(), now));
    }
}

#[test]
fn prints_no_secret() {
    let signer = Signer::default();
    authorization(&signer, Draft::new("GET", "a"), Payload::Empty, None, NOW);
    assert!(!format!("{signer:?}").contains("wJalr"));
}

/// What the SDK's signer makes of the same request.
fn theirs(draft: &Draft<'_>, payload: Payload, token: Option<&str>, now: i64) -> String {
    let address = Address::example();
    let identity =
        aws_credential_types::Credentials::new(ACCESS_KEY, SECRET, token.map(str::to_owned), None, "test").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&address.region)
        .name(address.service)
        .time(UNIX_EPOCH + Duration::from_secs(now.unsigned_abs()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = address.url(&address.path(draft), draft);
    let headers = draft.headers.iter().map(|(name, value)| (&**name, value.as_str()));
    let body = match payload {
        Payload::Empty => SignableBody::Bytes(&[]),
        Payload::Unsigned => SignableBody::UnsignedPayload,
    };
    let request = SignableRequest::new(draft.method, url, headers, body).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    let (headers, _) = instructions.into_parts();
    headers.iter().find(|it| it.name() == "authorization").unwrap().value().to_owned()
}

proptest! {
    #[test]
    fn signatures_are_those_of_the_sdk(
        key in "[ -~äß漢🚰\u{300}/]{1,60}",
        method in prop::sample::select(vec!["GET", "HEAD", "PUT", "DELETE"]),
        upload in prop::option::of("[ -~ü]{0,40}"),
        etag in prop::option::of("\"[0-9a-f]{0,32}\""),
        // A value is sent as it is, so it has no spaces at its ends; within it may have many.
        metadata in prop::option::of("[!-~]( {1,3}[!-~]){0,8}"),
        token in prop::option::of("[A-Za-z0-9/+=]{1,80}"),
        payload in prop::sample::select(vec![Payload::Empty, Payload::Unsigned]),
        now in 0i64..4_000_000_000,
    ) {
        let mut draft = Draft::new(method, &key)
            .maybe_header("if-match", etag)
            .header("content-type", "application/octet-stream")
            .maybe_header("x-amz-meta-note", metadata);
        if let Some(upload) = upload {
            draft = draft.query("uploadId", upload).query("partNumber", "7");
        }
        let theirs = theirs(&draft, payload, token.as_deref(), now);
        prop_assert_eq!(authorization(&Signer::default(), draft, payload, token.as_deref(), now), theirs);
    }
}
