//! The server's refusals in the contract's words: by code where that's exact, by the server's text
//! where one code stands for many things. Repeats that text, but never what was sent.

use std::time::Duration;

use culvert_sdk::{
    error::{self, quote},
    types::Error,
};

use crate::reply::Reply;

/// How long to wait for a place on a server that has no more: about the time that a small file takes.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// Words by which servers say that they have enough connections.
const CROWDED: [&str; 8] = [
    "too many",
    "maximum",
    "max connections",
    "connection limit",
    "limit reached",
    "number of connections",
    "already logged",
    "busy",
];

/// Words by which servers say that they want TLS first.
const CLEAR: [&str; 4] = ["ssl", "tls", "encrypt", "cleartext"];

/// The server refused `operation` on an object.
pub(crate) fn refused(operation: &str, key: &str, reply: &Reply) -> Error {
    let words = reply.words();
    let message = format!("cannot {operation} {}: the server says {}", shown(key), reply.shown());
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    match reply.code {
        421 => crowded_or(error::unavailable, reply, message),
        425 => error::connection_failed(message),
        426 => error::connection_failed(message),
        450 | 451 if says(&["no space", "quota", "disk full"]) => error::no_space(message),
        450 | 434 | 436 => error::unavailable(message),
        451 => error::io(message),
        452 | 552 => error::no_space(message),
        500..=504 => error::unsupported(message),
        522 if words.contains("reuse") => error::connection_failed(message),
        522 => error::unsupported(format!(
            "{message}; data connections of this server need TLS: write ftpes:// or ftps://"
        )),
        530 | 532 => error::unauthenticated(message),
        533..=537 => error::unsupported(message),
        _ if says(&["no space", "quota", "disk full"]) => error::no_space(message),
        _ if says(&["denied", "not permitted", "forbidden", "not allowed", "read-only", "read only"]) => {
            error::permission_denied(message)
        }
        _ if says(&["exist", "no such", "not found", "can't find", "cannot find", "not a plain file"]) => {
            if says(&["already exist", "file exists"]) {
                error::already_exists(message)
            } else {
                error::not_found(message)
            }
        }
        553 if says(&["prohibited file name"]) => error::invalid_key(message),
        550 | 553 => error::permission_denied(message),
        400..=499 => error::unavailable(message),
        _ => error::protocol(message),
    }
}

/// The server didn't let us in. What it says may repeat a secret, so it's held against them.
pub(crate) fn login(step: &str, reply: &Reply, secrets: &[&str]) -> Error {
    let text = reply.shown();
    let tells = secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret));
    let says = if tells { reply.code.to_string() } else { text };
    let message = format!("the server refused the login at {step}: it says {says}");
    let words = reply.words();
    match reply.code {
        _ if CLEAR.iter().any(|word| words.contains(word)) => {
            error::unsupported(format!("{message}; write ftpes:// or ftps:// if it wants TLS"))
        }
        421 => crowded_or(error::unavailable, reply, message),
        _ if is_crowded(reply) => crowded(message),
        530 | 331 | 332 | 430 | 532 => error::unauthenticated(format!("{message}; check user, password and account")),
        400..=499 => error::unavailable(message),
        534 | 504 | 500 | 502 | 503 => error::unsupported(message),
        _ => error::unauthenticated(message),
    }
}

/// Whether a refusal says that there are enough connections already.
fn is_crowded(reply: &Reply) -> bool {
    let words = reply.words();
    // 530 also answers wrong passwords, of which "maximum number of attempts" may be said.
    !words.contains("attempts") && CROWDED.iter().any(|word| words.contains(word))
}

fn crowded_or(otherwise: fn(String) -> Error, reply: &Reply, message: String) -> Error {
    if is_crowded(reply) { crowded(message) } else { otherwise(message) }
}

fn crowded(message: String) -> Error {
    error::retry_after(error::crowded(message), CROWDED_WAIT)
}

/// A key for a message; the root has a word of its own.
pub(crate) fn shown(key: &str) -> String {
    if key.is_empty() { "the folder".to_owned() } else { quote(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply { code, lines: vec![text.as_bytes().to_vec()] }
    }

    #[test]
    fn servers_refusals_are_told_apart() {
        for (code, text, expected) in [
            (550, "Failed to open file.", "permission-denied"),
            (550, "a: No such file or directory", "not-found"),
            (550, "Can't check for file existence", "not-found"),
            (553, "Could not create file.", "permission-denied"),
            (553, "Prohibited file name: a\\b", "invalid-key"),
            (550, "a: Permission denied", "permission-denied"),
            (452, "x", "no-space"),
            (451, "Quota exceeded", "no-space"),
            (426, "Failure writing network stream.", "connection-failed"),
            (522, "SSL connection failed; session reuse required", "connection-failed"),
            (522, "Data connections must be encrypted.", "unsupported"),
            (421, "There are too many connections from your internet address.", "crowded"),
            (421, "Timeout.", "unavailable"),
        ] {
            assert_eq!(refused("read", "a", &reply(code, text)).code, expected, "{code} {text}");
        }
    }

    #[test]
    fn logins_fail_in_their_own_ways() {
        for (code, text, expected) in [
            (530, "Login incorrect.", "unauthenticated"),
            (530, "Sorry, the maximum number of connections (2) from your host are already connected.", "crowded"),
            (421, "Too many connections (2) from this IP", "crowded"),
            (530, "Maximum number of login attempts exceeded", "unauthenticated"),
            (421, "Service not available", "unavailable"),
            (530, "Anonymous sessions must use encryption.", "unsupported"),
            (550, "SSL/TLS required on the control channel", "unsupported"),
            (421, "Sorry, cleartext sessions are not accepted on this server.", "unsupported"),
        ] {
            assert_eq!(login("PASS", &reply(code, text), &["hunter2"]).code, expected, "{code} {text}");
        }
        let error = login("PASS", &reply(500, "'PASS hunter2': what?"), &["hunter2"]);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
}
