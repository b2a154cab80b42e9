//! What a server says it can do (FEAT, RFC 2389). Asks nothing itself.

use crate::reply::Reply;

/// A way to ask the server for the checksum of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    /// draft-bryan-ftpext-hash: `OPTS HASH <name>` chooses, `HASH <path>` asks.
    Hash(&'static str),
    /// `XSHA256 <path>` and its like.
    Command(&'static str),
}

/// What a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Features {
    pub(crate) mlst: bool,
    pub(crate) mfmt: bool,
    pub(crate) mdtm: bool,
    pub(crate) utf8: bool,
    pub(crate) epsv: bool,
    /// The names of `HASH`'s algorithms as the server writes them, lower case.
    hashes: Vec<String>,
    commands: Vec<String>,
}

// === impl Features ===

impl Features {
    pub(crate) fn parse(reply: &Reply) -> Self {
        let mut features = Self::default();
        if !reply.is_done() {
            return features;
        }
        for line in &reply.lines {
            let line = String::from_utf8_lossy(line).trim().to_owned();
            let (name, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            match name.to_ascii_uppercase().as_str() {
                "MLST" | "MLSD" => features.mlst = true,
                "MFMT" => features.mfmt = true,
                "MDTM" => features.mdtm = true,
                "UTF8" => features.utf8 = true,
                "EPSV" => features.epsv = true,
                "HASH" => {
                    let names = rest.split(';').map(|name| name.trim().trim_end_matches('*').to_ascii_lowercase());
                    features.hashes = names.filter(|name| !name.is_empty()).collect();
                }
                other => features.commands.push(other.to_owned()),
            }
        }
        features
    }

    /// How to ask for the checksum of one of the engine's algorithms; none if the server has none.
    pub(crate) fn digest(&self, algorithm: &str) -> Option<Digest> {
        let (hash, command) = match algorithm {
            "sha256" => ("SHA-256", "XSHA256"),
            "md5" => ("MD5", "XMD5"),
            "crc32" => ("CRC32", "XCRC"),
            _ => return None,
        };
        if self.hashes.iter().any(|name| name.eq_ignore_ascii_case(hash)) {
            return Some(Digest::Hash(hash));
        }
        self.commands.iter().any(|name| name == command).then_some(Digest::Command(command))
    }
}

/// The digest in a reply to `HASH` or to one of the `X` commands: the only word of as many hex
/// digits as it has. None if there is no such word.
pub(crate) fn digest_of(reply: &Reply, bytes: usize) -> Option<Vec<u8>> {
    let text = reply.text();
    let word = text
        .split_ascii_whitespace()
        .find(|word| word.len() == 2 * bytes && word.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    (0..bytes).map(|at| u8::from_str_radix(&word[2 * at..2 * at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn three_servers_are_understood() {
        let vsftpd =
            reply(211, &["Features:", " EPRT", " EPSV", " MDTM", " PASV", " REST STREAM", " SIZE", " TVFS", "End"]);
        let features = Features::parse(&vsftpd);
        assert!(features.epsv && features.mdtm && !features.mlst && !features.mfmt && !features.utf8);
        assert_eq!(features.digest("sha256"), None);

        let proftpd = reply(
            211,
            &[
                "Features:",
                " HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512;",
                " MFMT",
                " MLST modify*;size*;",
                " UTF8",
                " XMD5",
                "End",
            ],
        );
        let features = Features::parse(&proftpd);
        assert!(features.mlst && features.mfmt && features.utf8);
        assert_eq!(features.digest("sha256"), Some(Digest::Hash("SHA-256")));
        assert_eq!(features.digest("crc32"), Some(Digest::Hash("CRC32")));
        assert_eq!(features.digest("crc64-nvme"), None);

        let other = Features::parse(&reply(211, &["x", " XMD5 filename", " XCRC", "End"]));
        assert_eq!(other.digest("md5"), Some(Digest::Command("XMD5")));
        assert_eq!(other.digest("crc32"), Some(Digest::Command("XCRC")));
        assert_eq!(Features::parse(&reply(500, &["what?"])), Features::default());
    }

    #[test]
    fn a_digest_is_found_in_its_sentence() {
        let hex = "d41d8cd98f00b204e9800998ecf8427e";
        for line in [format!("MD5 0-5 {hex} a b"), hex.to_owned(), format!("\"a b\" {}", hex.to_uppercase())] {
            let digest = digest_of(&reply(213, &[&line]), 16);
            assert_eq!(digest.map(|digest| digest[0]), Some(0xd4), "{line}");
        }
        assert_eq!(digest_of(&reply(213, &["MD5 0-5 d41d a"]), 16), None);
    }
}
