//! Upload tokens: the path of an upload's temporary file. What comes back was in journals and other
//! processes, and is checked. Touches no file.

use culvert_sdk::{
    error::{self, quote},
    key::{folder, name},
    temporary::is_temporary,
    types::Error,
};

/// Longest token in bytes, as the contract has it.
const MAX_TOKEN_BYTES: usize = 4096;

/// The path of an upload's temporary file, below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload(String);

// === impl Upload ===

impl Upload {
    /// The upload whose temporary file is at `path`.
    ///
    /// # Errors
    /// `invalid-key` if the path is too long for a token.
    pub(crate) fn at(path: String) -> Result<Self, Error> {
        if path.len() > MAX_TOKEN_BYTES {
            return Err(error::invalid_key(format!(
                "the path {} is longer than {MAX_TOKEN_BYTES} bytes",
                quote(&path)
            )));
        }
        Ok(Self(path))
    }

    /// Takes a token back. It has been in journals and other processes, so it's checked: nothing but
    /// a temporary file of this connector can be written, committed or deleted through it.
    ///
    /// # Errors
    /// `protocol`.
    pub(crate) fn parse(token: String) -> Result<Self, Error> {
        let plain = token.split('/').all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('\0'));
        if plain && token.len() <= MAX_TOKEN_BYTES && is_temporary(name(&token)) {
            Ok(Self(token))
        } else {
            Err(error::protocol(format!("{} isn't the token of an upload to a local folder", quote(&token))))
        }
    }

    /// Whether this is an upload of `key`: its file lies in the same folder.
    pub(crate) fn is_beside(&self, key: &str) -> bool {
        folder(&self.0) == folder(key)
    }

    pub(crate) fn path(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_token(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use culvert_sdk::{key::join, temporary::Names};

    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let path = Names::new("0123abcd").expect("8 hex digits").beside("a/b");
        let upload = Upload::at(path).and_then(|upload| Upload::parse(upload.into_token()));
        assert!(
            upload.is_ok_and(|upload| upload.is_beside("a/c") && !upload.is_beside("c") && !upload.is_beside("a/b/c"))
        );
    }

    #[test]
    fn a_token_from_elsewhere_is_refused() {
        for token in [
            "",
            "a/b",
            "/.culvert-0123456789abcdef.part",
            "../.culvert-0123456789abcdef.part",
            "a/../.culvert-0123456789abcdef.part",
            "a//.culvert-0123456789abcdef.part",
            "./.culvert-0123456789abcdef.part",
            "a\0/.culvert-0123456789abcdef.part",
            ".culvert-0123456789abcdef.part/x",
        ] {
            let code = Upload::parse(token.to_owned()).map_err(|error| error.code);
            assert_eq!(code, Err("protocol".to_owned()), "{token:?}");
        }
        let long = join(&"a/".repeat(2100), ".culvert-0123456789abcdef.part");
        assert!(Upload::parse(long.clone()).is_err() && Upload::at(long).is_err());
    }
}
