//! Keys to the server's paths and names back to keys. What could end a command line, and what the
//! chosen encoding can't write, is refused here and nowhere else.

use culvert_sdk::{
    error::{self, quote},
    types::Error,
};

use crate::config::Encoding;

/// Below which folder of the server everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    /// Absolute, without a slash at its end: empty for the server's root.
    base: Vec<u8>,
    encoding: Encoding,
}

// === impl Root ===

impl Root {
    /// `path` as the user wrote it, below the folder that a login begins in unless it's absolute.
    ///
    /// # Errors
    /// `invalid-config`.
    pub(crate) fn new(path: &str, home: &[u8], encoding: Encoding) -> Result<Self, Error> {
        let bytes = encode(path, encoding).map_err(|why| error::invalid_config(format!("path: {why}")))?;
        let mut base = if bytes.starts_with(b"/") { Vec::new() } else { home.to_vec() };
        for segment in bytes.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            if base.last() != Some(&b'/') {
                base.push(b'/');
            }
            base.extend_from_slice(segment);
        }
        while base.last() == Some(&b'/') {
            base.pop();
        }
        Ok(Self { base, encoding })
    }

    /// The server's path of a key; of the root folder for the empty one.
    ///
    /// # Errors
    /// `invalid-key`.
    pub(crate) fn path(&self, key: &str) -> Result<Vec<u8>, Error> {
        let bytes = encode(key, self.encoding)
            .map_err(|why| error::invalid_key(format!("the name {} can't be sent to the server: {why}", quote(key))))?;
        let mut path = self.base.clone();
        if !bytes.is_empty() || path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&bytes);
        Ok(path)
    }

    /// A name from a listing.
    ///
    /// # Errors
    /// The name as far as it can be read.
    pub(crate) fn name(&self, bytes: &[u8]) -> Result<String, String> {
        match self.encoding {
            Encoding::Utf8 => {
                String::from_utf8(bytes.to_vec()).map_err(|_| String::from_utf8_lossy(bytes).into_owned())
            }
            Encoding::Latin1 => Ok(bytes.iter().copied().map(char::from).collect()),
        }
    }
}

fn encode(text: &str, encoding: Encoding) -> Result<Vec<u8>, &'static str> {
    if text.contains(['\r', '\n', '\0']) {
        return Err("it has a line break or a NUL, which would end the command");
    }
    match encoding {
        Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
        Encoding::Latin1 => {
            text.chars().map(|character| u8::try_from(u32::from(character))).collect::<Result<_, _>>().map_err(
                |_| "it has a character that Latin-1 hasn't; write encoding = \"utf-8\" if the server takes it",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn keys_lie_below_the_root() {
        for (path, home, key, expected) in [
            ("", "/", "a/b", "/a/b"),
            ("", "/home/u", "-a", "/home/u/-a"),
            ("data/", "/home/u", " a", "/home/u/data/ a"),
            ("/pub//x/", "/home/u", "a", "/pub/x/a"),
            ("/", "/home/u", "", "/"),
            ("", "/home/u/", "", "/home/u"),
        ] {
            let root = Root::new(path, home.as_bytes(), Encoding::Utf8).unwrap();
            assert_eq!(String::from_utf8(root.path(key).unwrap()).unwrap(), expected, "{path} {home} {key}");
        }
    }

    #[test]
    fn no_name_ends_a_command() {
        let root = Root::new("", b"/", Encoding::Utf8).unwrap();
        for key in ["a\rb", "a\nDELE b", "a\0b"] {
            assert_eq!(root.path(key).unwrap_err().code, "invalid-key");
            assert_eq!(Root::new(key, b"/", Encoding::Utf8).unwrap_err().code, "invalid-config");
        }
    }

    #[test]
    fn both_encodings_come_back() {
        let latin = Root::new("", b"/", Encoding::Latin1).unwrap();
        assert_eq!(latin.path("ä").unwrap(), [b'/', 0xe4]);
        assert_eq!(latin.name(&[0xe4]).unwrap(), "ä");
        assert_eq!(latin.path("€").unwrap_err().code, "invalid-key");
        let utf8 = Root::new("", b"/", Encoding::Utf8).unwrap();
        assert_eq!(utf8.name("ä€".as_bytes()).unwrap(), "ä€");
        assert_eq!(utf8.name(&[b'a', 0xe4]).unwrap_err(), "a\u{fffd}");
    }
}
