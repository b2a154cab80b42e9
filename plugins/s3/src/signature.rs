//! Signatures of requests, version 4 (AWS, "Create a signed AWS API request"), in the header
//! `authorization`. The payload isn't part of it: the engine's bytes never come here. Reads no clock.

#[cfg(test)]
mod tests;

use std::{cell::RefCell, fmt};

use culvert_sdk::{credentials::Credential, time::to_basic};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{address::Address, request::Draft};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const REQUEST: &str = "aws4_request";
/// Length of a date in a time.
const DATE: usize = 8;

/// What stands for a payload in its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// There is none: the SHA-256 of nothing.
    Empty,
    /// Its bytes aren't known yet; what proves them is the checksum afterwards.
    Unsigned,
}

/// What signs an instance's requests. A key is good for a day and kept for as long.
#[derive(Default)]
pub(crate) struct Signer(RefCell<Option<Keyed>>);

struct Keyed {
    date: String,
    secret: String,
    mac: Hmac<Sha256>,
}

// === impl Payload ===

impl Payload {
    fn text(self) -> &'static str {
        match self {
            Self::Empty => "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            Self::Unsigned => "UNSIGNED-PAYLOAD",
        }
    }
}

// === impl Signer ===

impl Signer {
    /// A request's headers with the date, the token and the signature. `path` is escaped, `now` in
    /// seconds since 1970.
    pub(crate) fn sign(
        &self,
        draft: Draft<'_>,
        path: &str,
        payload: Payload,
        address: &Address,
        credential: &Credential,
        now: i64,
    ) -> Vec<(String, Vec<u8>)> {
        let time = to_basic(now);
        let draft = draft
            .maybe_header("x-amz-security-token", credential.session_token.as_deref())
            .header("x-amz-content-sha256", payload.text())
            .header("x-amz-date", time.as_str());
        let (canonical, signed) = canonical(&draft, path, payload, &address.host);
        let scope = format!("{}/{}/{}/{REQUEST}", &time[..DATE], address.region, address.service);
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(&self.mac(&text, &time[..DATE], address, &credential.secret));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            credential.access_key
        );
        let headers = draft.header("authorization", authorization).headers.into_iter();
        headers.map(|(name, value)| (name.into_owned(), value.into_bytes())).collect()
    }

    fn mac(&self, text: &str, date: &str, address: &Address, secret: &str) -> Vec<u8> {
        let mut kept = self.0.borrow_mut();
        let fits = |keyed: &Keyed| keyed.date == date && keyed.secret == secret;
        let keyed = match kept.take().filter(fits) {
            Some(keyed) => kept.insert(keyed),
            None => kept.insert(Keyed::new(date, address, secret)),
        };
        finished(keyed.mac.clone(), text)
    }
}

/// The secret stays out.
impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").finish_non_exhaustive()
    }
}

// === impl Keyed ===

impl Keyed {
    fn new(date: &str, address: &Address, secret: &str) -> Self {
        let words = [date, &address.region, address.service, REQUEST];
        let begin = format!("AWS4{secret}").into_bytes();
        let key = words.iter().fold(begin, |key, word| finished(keyed(&key), word));
        Self { date: date.to_owned(), secret: secret.to_owned(), mac: keyed(&key) }
    }
}

/// The canonical request, and the names of its headers. All of a draft's headers are signed: stores
/// refuse those of their own that aren't.
fn canonical(draft: &Draft<'_>, path: &str, payload: Payload, host: &str) -> (String, String) {
    let mut headers: Vec<_> = draft.headers.iter().map(|(name, value)| (&**name, value.as_str())).collect();
    headers.push(("host", host));
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let signed = names.join(";");
    let mut text = format!("{}\n{path}\n{}\n", draft.method, draft.query_text());
    for (name, value) in headers {
        text.push_str(name);
        text.push(':');
        push_folded(&mut text, value);
        text.push('\n');
    }
    for line in ["\n", &signed, "\n", payload.text()] {
        text.push_str(line);
    }
    (text, signed)
}

/// Adds a header's value without spaces at its ends and with single ones within.
fn push_folded(text: &mut String, value: &str) {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    text.push_str(words.next().unwrap_or_default());
    for word in words {
        text.push(' ');
        text.push_str(word);
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("an HMAC takes keys of any length"))
}

fn finished(mut mac: Hmac<Sha256>, text: &str) -> Vec<u8> {
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
