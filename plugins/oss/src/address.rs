//! Where a bucket is: its server and the way its name is told. Reaches nothing.

use std::net::IpAddr;

use culvert_sdk::{error, types::Error};
use serde::Deserialize;

use crate::request::Draft;

/// How the bucket's name gets into a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Addressing {
    /// `https://bucket.endpoint/key`.
    Virtual,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://endpoint/key`: a domain of the bucket's own.
    Domain,
}

/// A bucket's URL without the key, with its slash at the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

// === impl Address ===

impl Address {
    /// Addresses and `localhost` have the bucket in the path unless the table says otherwise: a name
    /// can't be put in front of them.
    ///
    /// # Errors
    /// `invalid-config` where the endpoint isn't a server's URL.
    pub(crate) fn new(endpoint: &str, bucket: &str, addressing: Option<Addressing>) -> Result<Self, Error> {
        let endpoint = endpoint.trim_end_matches('/');
        let (scheme, authority) = endpoint
            .split_once("://")
            .ok_or_else(|| error::invalid_config("endpoint: expected https://host or http://host:port"))?;
        let style = addressing.unwrap_or(if is_address(authority) { Addressing::Path } else { Addressing::Virtual });
        Ok(Self(match style {
            Addressing::Virtual => format!("{scheme}://{bucket}.{authority}/"),
            Addressing::Path => format!("{endpoint}/{bucket}/"),
            Addressing::Domain => format!("{endpoint}/"),
        }))
    }

    pub(crate) fn url(&self, draft: &Draft) -> String {
        let (path, query) = (draft.path(), draft.query_text());
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{separator}{query}", self.0)
    }
}

fn is_address(authority: &str) -> bool {
    if authority.starts_with('[') {
        return true;
    }
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(endpoint: &str, addressing: Option<Addressing>) -> String {
        let address = Address::new(endpoint, "archive", addressing).map_err(|error| error.message);
        address.map_or_else(|message| message, |it| it.url(&Draft::of_object("GET", "a b").query("symlink", "")))
    }

    #[test]
    fn each_style_has_its_url() {
        let hangzhou = "https://oss-cn-hangzhou.aliyuncs.com/";
        assert_eq!(url(hangzhou, None), "https://archive.oss-cn-hangzhou.aliyuncs.com/a%20b?symlink");
        assert_eq!(url(hangzhou, Some(Addressing::Path)), "https://oss-cn-hangzhou.aliyuncs.com/archive/a%20b?symlink");
        assert_eq!(
            url("https://files.example.com", Some(Addressing::Domain)),
            "https://files.example.com/a%20b?symlink"
        );
        for address in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"] {
            assert_eq!(url(address, None), format!("{address}/archive/a%20b?symlink"));
        }
    }
}
