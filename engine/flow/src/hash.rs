//! Checksums of bytes on their way, each algorithm once per byte. Decides nothing: which algorithms
//! are worth their time is `transfer`'s business.

use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::object::{Algorithm, Checksums};

/// Computes some algorithms over one sequence of bytes; none at no cost.
#[derive(Debug, Default)]
pub struct Hasher(Vec<State>);

#[derive(Debug)]
enum State {
    Crc(Algorithm, crc_fast::Digest),
    Md5(Md5),
    Sha256(Sha256),
}

/// The checksum of two sequences of bytes in a row, from theirs and the length in bytes of the
/// second. None where the algorithm can't do that, or a digest has the wrong length.
pub fn combine(algorithm: Algorithm, first: &[u8], second: &[u8], second_length: u64) -> Option<Vec<u8>> {
    let crc = crc(algorithm)?;
    let combined =
        crc_fast::checksum_combine(crc, number(algorithm, first)?, number(algorithm, second)?, second_length);
    Some(digest(algorithm, combined))
}

/// Whether [`combine`] works: the checksum of an object then follows from those of its parts.
pub fn is_combinable(algorithm: Algorithm) -> bool {
    crc(algorithm).is_some()
}

fn crc(algorithm: Algorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        Algorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        Algorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        Algorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        Algorithm::Crc64Xz => Some(CrcAlgorithm::Crc64Xz),
        Algorithm::Md5 | Algorithm::Sha256 => None,
    }
}

/// A CRC's digest, big-endian and as long as the algorithm says.
fn digest(algorithm: Algorithm, crc: u64) -> Vec<u8> {
    crc.to_be_bytes()[8 - algorithm.digest_bytes()..].to_vec()
}

fn number(algorithm: Algorithm, digest: &[u8]) -> Option<u64> {
    (digest.len() == algorithm.digest_bytes())
        .then(|| digest.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

// === impl Hasher ===

impl Hasher {
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self(algorithms.into_iter().map(State::new).collect())
    }

    /// Nothing is computed: nobody needs to look at the bytes.
    pub fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    pub fn update(&mut self, bytes: &[u8]) {
        for state in &mut self.0 {
            match state {
                State::Crc(_, digest) => digest.update(bytes),
                State::Md5(digest) => digest.update(bytes),
                State::Sha256(digest) => digest.update(bytes),
            }
        }
    }

    pub fn finish(self) -> Checksums {
        self.0
            .into_iter()
            .map(|state| match state {
                State::Crc(algorithm, crc) => (algorithm, digest(algorithm, crc.finalize())),
                State::Md5(digest) => (Algorithm::Md5, digest.finalize().to_vec()),
                State::Sha256(digest) => (Algorithm::Sha256, digest.finalize().to_vec()),
            })
            .collect()
    }
}

// === impl State ===

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match (crc(algorithm), algorithm) {
            (Some(crc), _) => Self::Crc(algorithm, crc_fast::Digest::new(crc)),
            (None, Algorithm::Md5) => Self::Md5(Md5::new()),
            (None, _) => Self::Sha256(Sha256::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHECK: &[u8] = b"123456789";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn of(bytes: &[u8]) -> Checksums {
        let mut hasher = Hasher::new(Algorithm::ALL);
        for slice in bytes.chunks(4) {
            hasher.update(slice);
        }
        hasher.finish()
    }

    /// The check values of the CRC catalogue (reveng), RFC 1321 and FIPS 180-2.
    #[test]
    fn known_vectors() {
        let sums = of(CHECK);
        assert_eq!(hex(&sums[&Algorithm::Crc32]), "cbf43926");
        assert_eq!(hex(&sums[&Algorithm::Crc32c]), "e3069283");
        assert_eq!(hex(&sums[&Algorithm::Crc64Xz]), "995dc9bbdf1939fa");
        assert_eq!(hex(&sums[&Algorithm::Crc64Nvme]), "ae8b14860a799888");
        assert_eq!(hex(&sums[&Algorithm::Md5]), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(hex(&sums[&Algorithm::Sha256]), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
        assert_eq!(hex(&of(b"")[&Algorithm::Md5]), "d41d8cd98f00b204e9800998ecf8427e");
    }

    proptest! {
        #[test]
        fn parts_combine_to_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..600) {
            let cut = cut.min(bytes.len());
            let (whole, first, second) = (of(&bytes), of(&bytes[..cut]), of(&bytes[cut..]));
            for algorithm in Algorithm::ALL {
                let combined = combine(algorithm, &first[&algorithm], &second[&algorithm], (bytes.len() - cut) as u64);
                prop_assert_eq!(combined, is_combinable(algorithm).then(|| whole[&algorithm].clone()));
            }
        }
    }

    #[test]
    fn a_digest_of_the_wrong_length_does_not_combine() {
        assert_eq!(combine(Algorithm::Crc32c, &[0; 8], &[0; 4], 1), None);
    }
}
