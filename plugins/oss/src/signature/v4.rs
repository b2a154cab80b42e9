//! Signature version 4 (Alibaba Cloud, "Include a V4 signature in the Authorization header"). The
//! payload isn't part of it: the engine's bytes never come here, and CRC-64 proves them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{Scope, Signer, signed_headers};
use crate::{key::escaped_path, request::Draft};

const ALGORITHM: &str = "OSS4-HMAC-SHA256";
const REQUEST: &str = "aliyun_v4_request";
const PRODUCT: &str = "oss";
/// Stands for the payload's hash.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// Length of a date in a time.
const DATE: usize = 8;

/// The header's value. `time` as in `20261122T212314Z`.
pub(super) fn authorization(signer: &Signer, draft: &Draft, scope: Scope<'_>, time: &str) -> String {
    let date = &time[..DATE];
    let credential = format!("{date}/{}/{PRODUCT}/{REQUEST}", scope.region);
    let hashed = hex(&Sha256::digest(canonical(draft, scope.bucket)));
    let text = format!("{ALGORITHM}\n{time}\n{credential}\n{hashed}");
    let secret = format!("aliyun_v4{}", signer.secret);
    let key = [date, scope.region, PRODUCT, REQUEST].iter().fold(secret.into_bytes(), |key, word| mac(&key, word));
    let signature = hex(&mac(&key, &text));
    format!("{ALGORITHM} Credential={}/{credential},Signature={signature}", signer.access_key)
}

/// The canonical request. Its URI has the bucket in it whatever the URL looks like; no headers are
/// signed in addition to those that always are.
pub(super) fn canonical(draft: &Draft, bucket: &str) -> String {
    let uri = format!("/{}/{}", escaped_path(bucket), draft.path());
    let headers =
        signed_headers(draft, |name| name.starts_with("x-oss-") || matches!(name, "content-type" | "content-md5"));
    format!("{}\n{uri}\n{}\n{headers}\n\n{UNSIGNED}", draft.method, draft.query_text())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
