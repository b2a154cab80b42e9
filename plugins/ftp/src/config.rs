//! The `[source]` and `[sink]` tables: their schemas and their one type. Reaches no server.

use culvert_sdk::{config, error, tls, types::Error};
use serde::Deserialize;

/// Ports that the schemes stand for where the endpoint names none.
const PORT: u16 = 21;
const IMPLICIT_TLS_PORT: u16 = 990;

/// How names are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "latin-1")]
    Latin1,
}

/// What to do with a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Symlinks {
    #[default]
    Keep,
    Follow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum TlsVersion {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Never.
    None,
    /// With `AUTH TLS` (RFC 4217).
    Explicit,
    /// With the first byte.
    Implicit,
}

/// A text that can't print itself.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

/// Either table; the schemas say which keys belong to which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) endpoint: Endpoint,
    #[serde(default)]
    pub(crate) path: String,
    #[serde(default = "anonymous")]
    pub(crate) user: String,
    #[serde(default = "anonymous_password")]
    pub(crate) password: Secret,
    pub(crate) account: Option<Secret>,
    #[serde(default)]
    pub(crate) encoding: Encoding,
    #[serde(default = "yes")]
    pub(crate) mlsd: bool,
    #[serde(default = "yes")]
    pub(crate) epsv: bool,
    #[serde(default = "yes")]
    pub(crate) hidden: bool,
    #[serde(default)]
    pub(crate) symlinks: Symlinks,
    #[serde(default = "yes")]
    pub(crate) checksum: bool,
    pub(crate) bind: Option<std::net::IpAddr>,
    pub(crate) tls_ca: Option<String>,
    #[serde(default = "oldest")]
    pub(crate) tls_min: TlsVersion,
    #[serde(default = "newest")]
    pub(crate) tls_max: TlsVersion,
    #[serde(default)]
    pub(crate) insecure_skip_verify: bool,
}

/// The server, from its URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Endpoint {
    pub(crate) protection: Protection,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// # Errors
/// `invalid-config`.
pub(crate) fn parse(json: &str) -> Result<Config, Error> {
    let config: Config = config::parse(json)?;
    for (name, text) in [("user", config.user.as_str()), ("password", config.password.expose())] {
        if text.contains(['\r', '\n', '\0']) {
            return Err(error::invalid_config(format!(
                "{name}: has a line break or a NUL, which would end the command"
            )));
        }
    }
    if config.tls_min == TlsVersion::Tls13 && config.tls_max == TlsVersion::Tls12 {
        return Err(error::invalid_config("tls_min: is newer than tls_max"));
    }
    Ok(config)
}

fn anonymous() -> String {
    "anonymous".to_owned()
}

fn anonymous_password() -> Secret {
    Secret("anonymous@".to_owned())
}

fn yes() -> bool {
    true
}

fn oldest() -> TlsVersion {
    TlsVersion::Tls12
}

fn newest() -> TlsVersion {
    TlsVersion::Tls13
}

// === impl Config ===

impl Config {
    /// How TLS is spoken, with this version or an older one.
    pub(crate) fn tls(&self, newest: TlsVersion) -> tls::Options {
        let version = |version| match version {
            TlsVersion::Tls12 => tls::Version::Tls12,
            TlsVersion::Tls13 => tls::Version::Tls13,
        };
        tls::Options {
            server_name: self.endpoint.host.clone(),
            authorities: self.tls_ca.clone(),
            minimum: version(self.tls_min),
            maximum: version(newest),
            verify: !self.insecure_skip_verify,
        }
    }
}

// === impl Secret ===

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

// === impl Endpoint ===

impl TryFrom<String> for Endpoint {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
        let (protection, default) = match scheme.to_ascii_lowercase().as_str() {
            "ftp" => (Protection::None, PORT),
            "ftpes" => (Protection::Explicit, PORT),
            "ftps" => (Protection::Implicit, IMPLICIT_TLS_PORT),
            _ => return Err("another scheme"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '@', '?', '#', '\\']) {
            return Err("more than host and port");
        }
        let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(default), |port| port.parse().map_err(|_| "no port"))?;
        if host.is_empty() || port == 0 {
            return Err("no host or no port");
        }
        Ok(Self { protection, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn an_endpoint_says_when_tls_begins() {
        let endpoint = |url: &str| Endpoint::try_from(url.to_owned());
        let expected = |protection, host: &str, port| Ok(Endpoint { protection, host: host.to_owned(), port });
        assert_eq!(endpoint("ftp://a.example"), expected(Protection::None, "a.example", 21));
        assert_eq!(endpoint("FTPES://a.example:2121/"), expected(Protection::Explicit, "a.example", 2121));
        assert_eq!(endpoint("ftps://[::1]"), expected(Protection::Implicit, "::1", 990));
        for wrong in
            ["a.example", "http://a", "ftp://", "ftp://u@a", "ftp://a/x", "ftp://a:0", "ftp://a:x", "ftp://:21"]
        {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_dont_show_and_dont_end_commands() {
        let config = parse(r#"{"endpoint": "ftp://a", "password": "hunter2", "account": "hunter2"}"#).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = parse(r#"{"endpoint": "ftp://a", "password": "hunter2\r\nDELE x"}"#).unwrap_err();
        assert!(error.code == "invalid-config" && !error.message.contains("hunter2"));
    }
}
