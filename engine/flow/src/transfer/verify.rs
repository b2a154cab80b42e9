//! How it's proven that the sink has what the source had. Compares figures; what is read again is read
//! by `reread`.

use crate::{
    error::{Code, Error},
    hash::{combine, is_combinable},
    object::{Algorithm, Capabilities, Checksums, Kind, Object},
    rules::Verify,
};

/// What a moved object was proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// The sink's own checksum equals the one computed from the source's bytes.
    Checksum(Algorithm),
    /// The sink was read back, and its bytes add up to the checksum of the source's.
    Reread(Algorithm),
    /// The number of bytes.
    Size,
}

/// In the order in which they cost time on a machine of today: CRCs run at memory speed.
const CHEAPEST_FIRST: [Algorithm; 6] =
    [Algorithm::Crc64Nvme, Algorithm::Crc64Xz, Algorithm::Crc32c, Algorithm::Crc32, Algorithm::Sha256, Algorithm::Md5];

/// What to compute over an object that's read as a whole: what the sink may report, since not every
/// store does what its connector can, and one that the source knows, where that isn't among them.
pub(super) fn whole_algorithms(verify: Verify, object: &Object, sink: &Capabilities) -> Vec<Algorithm> {
    if verify == Verify::Size {
        return Vec::new();
    }
    let known = |algorithm: &Algorithm| object.checksums.contains_key(algorithm);
    let reported = |algorithm: &Algorithm| sink.checksums().any(|reported| reported == *algorithm);
    let first = |wanted: &dyn Fn(&Algorithm) -> bool| CHEAPEST_FIRST.into_iter().find(wanted);
    let mut algorithms: Vec<_> = match first(&|algorithm| known(algorithm) && reported(algorithm)) {
        Some(both) => vec![both],
        None => CHEAPEST_FIRST.into_iter().filter(reported).chain(first(&known)).collect(),
    };
    if algorithms.is_empty() && verify == Verify::Reread {
        algorithms.push(CHEAPEST_FIRST[0]);
    }
    algorithms
}

/// What to compute over each part, so that the whole object's follows.
pub(crate) fn part_algorithm(verify: Verify, sink: &Capabilities) -> Option<Algorithm> {
    let reported = |algorithm: &Algorithm| sink.checksums().any(|reported| reported == *algorithm);
    let reported = CHEAPEST_FIRST.into_iter().find(|each| is_combinable(*each) && reported(each));
    match verify {
        Verify::Size => None,
        Verify::Checksum => reported,
        Verify::Reread => reported.or(Some(CHEAPEST_FIRST[0])),
    }
}

/// What verification needs, and what is asked for besides.
pub(super) fn and_also(mut algorithms: Vec<Algorithm>, also: &[Algorithm]) -> Vec<Algorithm> {
    for algorithm in also {
        if !algorithms.contains(algorithm) {
            algorithms.push(*algorithm);
        }
    }
    algorithms
}

/// The checksums of the whole from those of its parts in order, each with its length in bytes.
pub(super) fn combined<'a>(parts: impl Iterator<Item = (&'a Checksums, u64)>) -> Checksums {
    let mut whole: Option<Checksums> = None;
    for (part, length) in parts {
        whole = Some(match whole {
            None => part.clone(),
            Some(whole) => whole
                .into_iter()
                .filter_map(|(algorithm, first)| {
                    Some((algorithm, combine(algorithm, &first, part.get(&algorithm)?, length)?))
                })
                .collect(),
        });
    }
    whole.unwrap_or_default()
}

/// Fails with `changed` where what was opened isn't what was listed. Equal versions mean equal
/// bytes; without versions, size and time must do.
pub(super) fn unchanged(listed: &Object, opened: &Object) -> Result<(), Error> {
    let same = listed.key == opened.key
        && match (&listed.version, &opened.version) {
            (Some(listed), Some(opened)) => listed == opened,
            _ => agree(listed.size, opened.size) && agree(listed.modified, opened.modified),
        };
    if same { Ok(()) } else { Err(Error::new(Code::CHANGED, "read", "the object has changed since it was listed")) }
}

/// What one of them doesn't tell can't differ.
fn agree<T: PartialEq>(listed: Option<T>, opened: Option<T>) -> bool {
    listed.zip(opened).is_none_or(|(listed, opened)| listed == opened)
}

/// Holds what the source's bytes add up to against what the source knew of them.
pub(crate) fn source_agrees(object: &Object, ours: &Checksums) -> Result<(), Error> {
    for (algorithm, ours) in ours {
        if object.checksums.get(algorithm).is_some_and(|theirs| theirs != ours) {
            let message = format!("the bytes that were read don't add up to the source's {}", algorithm.as_str());
            return Err(Error::new(Code::CHECKSUM_MISMATCH, "verify", message));
        }
    }
    Ok(())
}

/// Holds what the sink says it stored against what was sent.
pub(super) fn stored(
    object: &Object,
    bytes: u64,
    ours: &Checksums,
    stored: &Object,
    verify: Verify,
) -> Result<Option<Grade>, Error> {
    if stored.key != object.key {
        return Err(Error::new(Code::PROTOCOL, "verify", format!("the sink stored it as {:?}", stored.key)));
    }
    if object.kind != Kind::File {
        return Ok(None);
    }
    let Some(size) = stored.size else {
        return Err(Error::new(Code::PROTOCOL, "verify", "the sink doesn't say how many bytes it stored"));
    };
    grade(bytes, ours, size, &stored.checksums, verify).map(Some)
}

/// Holds a file's size and checksums, as the sink tells them, against what was sent.
pub(super) fn grade(
    bytes: u64,
    ours: &Checksums,
    size: u64,
    checksums: &Checksums,
    verify: Verify,
) -> Result<Grade, Error> {
    if size != bytes {
        let message = format!("the sink stored {size} of {bytes} bytes");
        return Err(Error::new(Code::CHECKSUM_MISMATCH, "verify", message));
    }
    let mut grade = Grade::Size;
    if verify != Verify::Size {
        for (algorithm, ours) in ours {
            match checksums.get(algorithm) {
                None => {}
                Some(theirs) if theirs == ours => grade = Grade::Checksum(*algorithm),
                Some(_) => {
                    let message = format!("the sink's {} isn't that of the source's bytes", algorithm.as_str());
                    return Err(Error::new(Code::CHECKSUM_MISMATCH, "verify", message));
                }
            }
        }
    }
    Ok(grade)
}
