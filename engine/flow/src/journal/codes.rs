//! The small numbers that a journal is written in: kinds, algorithms, grades, times. A number never
//! changes its meaning, since files outlive engines; what isn't known reads as nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    object::{Algorithm, Checksums, Kind},
    run::Grade,
};

const NANOS: i64 = 1_000_000_000;

// === times ===

/// None outside of what 64 bits hold: years 1677 to 2262.
pub(crate) fn nanos(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|nanos| -nanos),
    }
}

pub(crate) fn from_nanos(nanos: i64) -> Option<SystemTime> {
    let length = Duration::new(nanos.unsigned_abs() / NANOS.unsigned_abs(), 0)
        + Duration::from_nanos(nanos.unsigned_abs() % NANOS.unsigned_abs());
    if nanos < 0 { UNIX_EPOCH.checked_sub(length) } else { UNIX_EPOCH.checked_add(length) }
}

pub(crate) fn millis(time: SystemTime) -> i64 {
    nanos(time).map_or(0, |nanos| nanos.div_euclid(1_000_000))
}

pub(crate) fn from_millis(millis: i64) -> Option<SystemTime> {
    from_nanos(millis.checked_mul(1_000_000)?)
}

// === numbers of kinds, algorithms and grades ===

pub(super) fn kind(number: i64) -> Kind {
    match number {
        0 => Kind::File,
        1 => Kind::Directory,
        2 => Kind::Symlink,
        _ => Kind::Other("other".to_owned()),
    }
}

fn algorithm_number(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Crc32c => 1,
        Algorithm::Crc64Nvme => 2,
        Algorithm::Crc64Xz => 3,
        Algorithm::Md5 => 4,
        Algorithm::Sha256 => 5,
        Algorithm::Crc32 => 6,
    }
}

fn algorithm(number: u8) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|algorithm| algorithm_number(*algorithm) == number)
}

/// Each algorithm's number and digest in a row; none for none.
pub(crate) fn pack(checksums: &Checksums) -> Option<Vec<u8>> {
    let mut packed = Vec::new();
    for (algorithm, digest) in checksums {
        if digest.len() == algorithm.digest_bytes() {
            packed.push(algorithm_number(*algorithm));
            packed.extend_from_slice(digest);
        }
    }
    (!packed.is_empty()).then_some(packed)
}

/// What can be made out of it.
pub(crate) fn unpack(mut packed: &[u8]) -> Checksums {
    let mut checksums = Checksums::new();
    while let Some((number, rest)) = packed.split_first() {
        let Some(algorithm) = algorithm(*number) else { break };
        let Some((digest, rest)) = rest.split_at_checked(algorithm.digest_bytes()) else { break };
        checksums.insert(algorithm, digest.to_vec());
        packed = rest;
    }
    checksums
}

/// 1 for a size, 16 and the algorithm for a checksum, 32 and the algorithm for a reading back.
pub(crate) fn grade_number(grade: Grade) -> i64 {
    match grade {
        Grade::Size => 1,
        Grade::Checksum(algorithm) => 16 + i64::from(algorithm_number(algorithm)),
        Grade::Reread(algorithm) => 32 + i64::from(algorithm_number(algorithm)),
    }
}

pub(crate) fn grade(number: i64) -> Option<Grade> {
    let of = |first: i64| u8::try_from(number - first).ok().and_then(algorithm);
    match number {
        1 => Some(Grade::Size),
        17..=31 => of(16).map(Grade::Checksum),
        33..=47 => of(32).map(Grade::Reread),
        _ => None,
    }
}
