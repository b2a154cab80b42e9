//! The server's own checksum of what it got, where it offers one that the engine computed too.
//! Without one the size must do, and the report says so.

use culvert_sdk::{
    error::{self, quote},
    types::{Checksum, Error},
};

use super::Sink;
use crate::{
    control::{Command, Control},
    features::{Digest, digest_of},
};

/// What servers are known to compute. Of what was sent in parts, the engine knows the CRC alone.
const STRONGEST_FIRST: [&str; 3] = ["sha256", "md5", "crc32"];

impl Sink {
    /// Compares the strongest of the engine's checksums that the server can compute. Returns what the
    /// server said: one checksum, or none where it can't or won't.
    pub(super) async fn verify(
        &self,
        control: &mut Control,
        path: &[u8],
        key: &str,
        checksums: &[Checksum],
    ) -> Result<Vec<Checksum>, Error> {
        let offered = STRONGEST_FIRST.iter().find_map(|algorithm| {
            let checksum = checksums.iter().find(|checksum| checksum.algorithm == *algorithm)?;
            Some((checksum, control.features.digest(algorithm)?))
        });
        let Some((expected, digest)) = offered else { return Ok(Vec::new()) };
        let commands = match digest {
            Digest::Hash(name) => {
                vec![Command::with("OPTS HASH", name.as_bytes())?, Command::with("HASH", path)?]
            }
            Digest::Command(verb) => vec![Command::with(verb, path)?],
        };
        control.send(&commands).await?;
        let mut reply = control.reply().await?;
        if commands.len() > 1 {
            let chosen = reply.is_done();
            reply = control.reply().await?;
            if !chosen {
                return Ok(Vec::new());
            }
        }
        let stored = digest_of(&reply, expected.value.len()).filter(|_| reply.is_done());
        // A server that offers and then refuses (a file too large for it) leaves the size.
        let Some(value) = stored else { return Ok(Vec::new()) };
        if value != expected.value {
            let (key, algorithm) = (quote(key), &expected.algorithm);
            return Err(error::checksum_mismatch(format!(
                "{key} was written, but the server's {algorithm} is another"
            )));
        }
        Ok(vec![Checksum { algorithm: expected.algorithm.clone(), value }])
    }
}
