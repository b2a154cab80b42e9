//! Signature version 1 (Alibaba Cloud, "Include a V1 signature in the Authorization header"): signs
//! neither the region nor most of the query.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{Scope, Signer, signed_headers};
use crate::request::Draft;

/// The query's names that are signed, of those that this connector uses.
const SIGNED: [&str; 5] = ["continuation-token", "partNumber", "symlink", "uploadId", "uploads"];

/// The header's value.
pub(super) fn authorization(signer: &Signer, draft: &Draft, scope: Scope<'_>) -> String {
    let text = text(draft, scope.bucket);
    // An HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(signer.secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    format!("OSS {}:{signature}", signer.access_key)
}

/// What is signed. The key and the query's values are in it as they are, unescaped.
fn text(draft: &Draft, bucket: &str) -> String {
    let mut pairs: Vec<_> = draft.query.iter().filter(|(name, _)| SIGNED.contains(&name.as_str())).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
        .collect();
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    let [md5, kind, date] = ["content-md5", "content-type", "date"].map(|name| draft.value(name));
    let headers = signed_headers(draft, |name| name.starts_with("x-oss-"));
    let key = draft.key.as_deref().unwrap_or_default();
    format!("{}\n{md5}\n{kind}\n{date}\n{headers}/{bucket}/{key}{query}", draft.method)
}
