//! URLs and keys: an object's key is its URL's path below a base, or its host and path; from a key alone
//! its URL can be made again, by any instance. Sends nothing.

use culvert_sdk::prelude::*;
use http::Uri;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What is escaped in a segment of a path (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The servers and the base that keys are made with.
#[derive(Debug)]
pub(crate) struct Places {
    /// Ends with a slash.
    base: Option<String>,
    /// `https://example.com`, without a slash at the end.
    servers: Vec<String>,
}

// === impl Places ===

impl Places {
    /// # Errors
    /// `invalid-config` for a base that isn't a URL.
    pub(crate) fn new(base: Option<&str>, urls: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let wrong = |url: &str| error::invalid_config(format!("{} isn't a URL with http or https", quote(url)));
        let base = base.map(|base| normal(base).ok_or_else(|| wrong(base))).transpose()?;
        let mut servers = Vec::new();
        for url in urls {
            servers.push(server(&url).ok_or_else(|| wrong(&url))?);
        }
        Ok(Self { base, servers })
    }

    /// An entry of a list as an absolute URL, in one spelling.
    ///
    /// # Errors
    /// `invalid-key` for what isn't a URL, or relative without a base.
    pub(crate) fn absolute(&self, entry: &str) -> Result<String, Error> {
        let entry = match (&self.base, is_absolute(entry)) {
            (_, true) => entry.to_owned(),
            (Some(base), false) => format!("{base}{}", entry.trim_start_matches('/')),
            (None, false) => {
                return Err(error::invalid_key(format!(
                    "{} isn't a URL; name what it counts from as base",
                    quote(entry)
                )));
            }
        };
        normal(&entry).ok_or_else(|| error::invalid_key(format!("{} isn't a URL with http or https", quote(&entry))))
    }

    /// # Errors
    /// `invalid-key` for a URL from whose key it couldn't be made again.
    pub(crate) fn key(&self, url: &str) -> Result<String, Error> {
        let refused = |why: &str| error::invalid_key(format!("{} {why}", quote(&without_query(url))));
        if url.contains(['?', '#']) {
            return Err(refused("has a query or a fragment, which a key can't hold"));
        }
        let rest = match &self.base {
            Some(base) => url.strip_prefix(base.as_str()).ok_or_else(|| refused("isn't below base"))?,
            None => url.split_once("://").map(|(_, rest)| rest).unwrap_or_default(),
        };
        let segments = rest.split('/').map(|segment| percent_decode_str(segment).decode_utf8());
        let segments: Vec<_> = segments.collect::<Result<_, _>>().map_err(|_| refused("isn't UTF-8"))?;
        let is_plain = |segment: &str| !["", ".", ".."].contains(&segment) && !segment.contains(['/', '\0']);
        if !segments.iter().all(|segment| is_plain(segment)) {
            return Err(refused("has an empty segment, a dot or an escaped slash, which a key can't hold"));
        }
        let key = segments.join("/");
        match self.url(&key) {
            Ok(again) if again == url => Ok(key),
            _ => Err(refused("leads to no server that this source names; name it in servers")),
        }
    }

    /// # Errors
    /// `not-found` for a key that no URL here has.
    pub(crate) fn url(&self, key: &str) -> Result<String, Error> {
        let escaped = |path: &str| {
            let segments = path.split('/').map(|segment| utf8_percent_encode(segment, SEGMENT).to_string());
            segments.collect::<Vec<_>>().join("/")
        };
        if let Some(base) = &self.base {
            return Ok(format!("{base}{}", escaped(key)));
        }
        let missing = || error::not_found(format!("{} is on no server that this source names", quote(key)));
        let (host, path) = key.split_once('/').ok_or_else(missing)?;
        let of_host = |server: &&String| server.split_once("://").is_some_and(|(_, known)| known == host);
        let server = self.servers.iter().find(of_host).ok_or_else(missing)?;
        Ok(format!("{server}/{}", escaped(path)))
    }
}

/// Scheme, host and port, as a URL begins with them.
pub(crate) fn server(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
    let standard = if scheme == "http" { 80 } else { 443 };
    let port = uri.port_u16().filter(|port| *port != standard);
    Some(port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

/// Where a link of this page leads (RFC 3986, section 5.2), without dots in it.
pub(crate) fn resolve(page: &str, link: &str) -> Option<String> {
    if is_absolute(link) {
        return normal(link);
    }
    let server = server(page)?;
    if let Some(rest) = link.strip_prefix("//") {
        let scheme = server.split_once("://")?.0;
        return normal(&format!("{scheme}://{rest}"));
    }
    if link.starts_with('/') {
        return normal(&format!("{server}{link}"));
    }
    let page = without_query(page);
    let folder = page.rfind('/').map(|end| &page[..=end]).filter(|folder| folder.len() > server.len())?;
    normal(&format!("{folder}{}", link.strip_prefix("./").unwrap_or(link)))
}

fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn is_absolute(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(['/', '?', '#', '.']))
}

/// One spelling for each URL: host in lower case, no port that the scheme stands for, and escaped in a
/// path what has to be, as this connector does it. None for what isn't a URL with HTTP.
fn normal(url: &str) -> Option<String> {
    let server = server(&without_query(url).replace(' ', "%20"))?;
    let (_, rest) = url.split_once("://")?;
    let path = rest.find('/').map_or("/", |start| &rest[start..]);
    let (path, query) = path.find(['?', '#']).map_or((path, ""), |end| path.split_at(end));
    let segments = path.split('/').map(|segment| {
        let bytes: Vec<u8> = percent_decode_str(segment).collect();
        match String::from_utf8(bytes) {
            Ok(text) => utf8_percent_encode(&text, SEGMENT).to_string(),
            Err(_) => segment.to_owned(),
        }
    });
    Some(format!("{server}{}{query}", segments.collect::<Vec<_>>().join("/")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_key_leads_back_to_its_url() {
        let servers = ["https://A.example", "http://b.example:8080/"].map(str::to_owned);
        let places = Places::new(None, servers).unwrap();
        for (entry, key) in [
            ("https://a.example/x/y.bin", "a.example/x/y.bin"),
            ("https://a.example:443/x%20%c3%a4", "a.example/x ä"),
            ("http://b.example:8080/a%3Fb%25", "b.example:8080/a?b%"),
            ("http://B.example:8080/a b", "b.example:8080/a b"),
        ] {
            let url = places.absolute(entry).unwrap();
            assert_eq!(places.key(&url).unwrap(), key);
            assert_eq!(places.url(key).unwrap(), url);
        }
        for entry in [
            "https://a.example/",
            "https://a.example/x/",
            "https://a.example/x//y",
            "https://a.example/x/../y",
            "https://a.example/x%2Fy",
            "https://a.example/x?y=z",
            "https://a.example/%ff",
            "http://a.example/x",
            "https://other.example/x",
        ] {
            let code = places.absolute(entry).and_then(|url| places.key(&url)).unwrap_err().code;
            assert_eq!(code, "invalid-key", "{entry}");
        }
        assert!(places.absolute("x/y").is_err() && places.absolute("ftp://a/x").is_err());
        assert_eq!(places.url("other.example/x").unwrap_err().code, "not-found");
    }

    #[test]
    fn a_base_is_cut_off_and_put_before() {
        let places = Places::new(Some("https://a.example/pub/"), []).unwrap();
        assert_eq!(places.key(&places.absolute("x/y%20z").unwrap()).unwrap(), "x/y z");
        assert_eq!(places.key("https://a.example/pub/x").unwrap(), "x");
        assert!(places.key("https://a.example/x").is_err());
        assert_eq!(places.url("x y").unwrap(), "https://a.example/pub/x%20y");
    }

    #[test]
    fn a_link_counts_from_its_page() {
        let page = "https://a.example/pub/?x";
        for (link, url) in [
            ("f%20g", "https://a.example/pub/f%20g"),
            ("./f", "https://a.example/pub/f"),
            ("/f", "https://a.example/f"),
            ("//b.example/f", "https://b.example/f"),
            ("http://b.example/f", "http://b.example/f"),
        ] {
            assert_eq!(resolve(page, link).as_deref(), Some(url), "{link}");
        }
        assert_eq!(resolve(page, "ftp://b.example/f"), None);
    }
}
