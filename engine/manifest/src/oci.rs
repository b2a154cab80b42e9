//! `oci://registry/name@sha256:…`: where a connector lies in an OCI registry. Asks none, and has no
//! registry of its own in mind: one that isn't named is refused.

use std::{fmt, str::FromStr};

use crate::{digest::Digest, problem::Invalid};

/// How a connector begins that lies in a registry.
const SCHEME: &str = "oci://";
/// Longest name in a registry, in bytes: the distribution specification's limit with the host's name.
const MAX_NAME_BYTES: usize = 255;
/// Longest tag in bytes, by the same specification.
const MAX_TAG_BYTES: usize = 128;
const FIX: &str = "write oci://registry.example.com/name@sha256:… or oci://registry.example.com/name:tag";

/// A connector in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Host and port, as they are written.
    pub registry: String,
    /// Segments with `/` between them.
    pub name: String,
    /// A word that may stand for another artifact tomorrow; says nothing where there is a digest.
    pub tag: Option<String>,
    /// Of the artifact's manifest.
    pub digest: Option<Digest>,
}

// === impl Reference ===

impl Reference {
    /// None if a connector's word doesn't lead to a registry.
    ///
    /// # Errors
    /// It does, and is wrong.
    pub fn of(word: &str) -> Result<Option<Self>, Invalid> {
        if word.starts_with(SCHEME) { word.parse().map(Some) } else { Ok(None) }
    }

    /// The same artifact for ever.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self.clone() }
    }

    /// Without tag and digest: what stays when a connector is updated.
    pub fn place(&self) -> String {
        format!("{SCHEME}{}/{}", self.registry, self.name)
    }

    /// Whether no byte to it leaves this machine.
    pub fn is_loopback(&self) -> bool {
        let host = match self.registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, _)) => host,
            None => self.registry.split_once(':').map_or(self.registry.as_str(), |(host, _)| host),
        };
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }
}

impl FromStr for Reference {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |message: &str| Invalid::new(message, FIX);
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it doesn't begin with oci://"))?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) if digest.starts_with("sha256:") => (rest, Some(digest.parse()?)),
            Some(_) => return Err(wrong("behind @ a registry has a SHA-256, and the engine takes no user there")),
            None => (rest, None),
        };
        let (registry, rest) = rest.split_once('/').ok_or_else(|| wrong("it has no name behind the registry"))?;
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        // As everywhere, a word without a dot or a port could as well be the beginning of the name.
        if !registry.bytes().all(host) || !(registry.contains(['.', ':']) || registry == "localhost") {
            return Err(wrong("it doesn't name a registry"));
        }
        let (name, tag) = match rest.split_once(':') {
            Some((name, tag)) => (name, Some(tag.to_owned())),
            None => (rest, None),
        };
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let segment = |segment: &str| {
            let (first, last) = (segment.bytes().next(), segment.bytes().next_back());
            first.is_some_and(lower)
                && last.is_some_and(lower)
                && segment.bytes().all(|it| lower(it) || b"._-".contains(&it))
        };
        if registry.len() + name.len() > MAX_NAME_BYTES || !name.split('/').all(segment) {
            return Err(wrong("its name has a character or a form that registries don't take"));
        }
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_tag = |tag: &String| {
            !tag.is_empty() && tag.len() <= MAX_TAG_BYTES && !tag.starts_with(['.', '-']) && tag.bytes().all(word)
        };
        if !tag.as_ref().is_none_or(is_tag) {
            return Err(wrong("its tag has a character or a form that registries don't take"));
        }
        if tag.is_none() && digest.is_none() {
            return Err(wrong("it has neither a tag nor a digest"));
        }
        Ok(Self { registry: registry.to_owned(), name: name.to_owned(), tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.place())?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(formatter, "@{digest}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "oci://127.0.0.1:5000/mem:1".to_owned(),
            "oci://localhost/a/b-c/d.e_f:v1.2.3_X".to_owned(),
            format!("oci://registry.example.com/acme/http@{digest}"),
            format!("oci://[::1]:5000/acme/http:1@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        assert_eq!(Reference::of("local").unwrap(), None);
        assert_eq!(Reference::of("./a.wasm").unwrap(), None);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let short = "0a".repeat(31);
        for text in [
            "oci://",
            "oci://ubuntu:1",
            "oci://acme/http:1",
            "oci://r.example/",
            "oci://r.example/a",
            "oci://r.example/a:",
            "oci://r.example/a:.b",
            "oci://r.example/A:1",
            "oci://r.example/a//b:1",
            "oci://r.example/../b:1",
            "oci://r.example/a:1?x",
            "oci://user:secret@r.example/a:1",
            "oci://user@r.example/a:1",
            &format!("oci://r.example/a@sha256:{short}"),
            "oci://r.example/a@sha512:00",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine() {
        let loopback = |registry: &str| format!("oci://{registry}/a:1").parse::<Reference>().unwrap().is_loopback();
        assert!(
            ["127.0.0.1:5000", "127.9.9.9:1", "localhost:5000", "localhost", "[::1]:5000"].map(loopback) == [true; 5]
        );
        assert!(
            ["r.example", "127.0.0.1.example:80", "10.0.0.1:5000", "localhost.example", "[fe80::1]:5000"].map(loopback)
                == [false; 5]
        );
    }
}
