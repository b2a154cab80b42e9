//! Whether an object is moved, and why: a pure decision about what the source has and what the sink
//! has. Asks no store.
//!
//! Times compare at the coarser of the two resolutions: a time without a fraction is one of whole
//! seconds. A sink without the `modified` capability keeps no times; what it reports is when the
//! object was written there, so a source's later time means a change since, and an earlier one says
//! that nothing has changed.

use std::{
    cmp::Ordering,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    object::{Capabilities, Kind, Object},
    rules::Overwrite,
};

/// The attribute with a symlink's target.
const TARGET: &str = "posix.target";
/// The attribute with the permission bits.
const MODE: &str = "posix.mode";

/// What happens to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Move(MoveReason),
    Skip(SkipReason),
}

/// Why an object is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveReason {
    /// The sink doesn't have it.
    Missing,
    /// Everything is asked for, whatever the sink has.
    Always,
    /// The source's was modified later.
    Newer,
    /// The times differ.
    Time,
    Size,
    Checksum,
    /// One is a file, the other a directory, for instance.
    Kind,
    /// The links point elsewhere.
    Target,
    /// The directories' permission bits differ.
    Mode,
}

/// Why an object isn't moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// Nothing that the pipeline compares differs.
    Same,
    /// An earlier run moved it, and the source's hasn't changed since: the sink isn't asked.
    Done,
    /// The sink has one, and nothing is to be overwritten.
    Exists,
    /// The sink's was modified later, or the store can't tell.
    NotNewer,
    /// No `include` pattern matches.
    NotIncluded,
    /// An `exclude` pattern matches.
    Excluded,
    TooOld,
    TooNew,
    TooSmall,
    TooLarge,
    /// The sink can't hold objects of this kind.
    SinkCannotHold(Kind),
    /// The engine doesn't know this kind.
    UnknownKind(String),
}

/// What `overwrite` says about an object of which the sink has this.
///
/// Directories go by their mode and time under `if-newer` too: writing into a directory makes the
/// sink's the newer one, whatever it holds.
pub fn decide(source: &Object, sink: Option<&Object>, overwrite: Overwrite, capabilities: &Capabilities) -> Decision {
    let Some(sink) = sink else { return Decision::Move(MoveReason::Missing) };
    let comparison = Comparison { source, sink, sink_keeps_times: capabilities.has("modified") };
    let reason = match (overwrite, &source.kind) {
        (Overwrite::Never, _) => return Decision::Skip(SkipReason::Exists),
        (Overwrite::Always, _) => Some(MoveReason::Always),
        (Overwrite::IfNewer, Kind::File | Kind::Symlink) => return comparison.if_newer(),
        (Overwrite::IfNewer | Overwrite::IfDifferent, _) => comparison.content().or_else(|| comparison.time()),
    };
    reason.map_or(Decision::Skip(SkipReason::Same), Decision::Move)
}

struct Comparison<'a> {
    source: &'a Object,
    sink: &'a Object,
    sink_keeps_times: bool,
}

// === impl Comparison ===

impl Comparison<'_> {
    /// What differs is moved unless the sink's is known to be newer.
    fn if_newer(&self) -> Decision {
        match (self.age(), self.content()) {
            // A sink without times that has these very bytes has nothing to gain.
            (Some(Ordering::Greater), None) if !self.sink_keeps_times && self.same_checksums() == Some(true) => {
                Decision::Skip(SkipReason::Same)
            }
            (Some(Ordering::Greater), _) => Decision::Move(MoveReason::Newer),
            (Some(Ordering::Less), _) => Decision::Skip(SkipReason::NotNewer),
            (_, Some(reason)) => Decision::Move(reason),
            (_, None) => Decision::Skip(SkipReason::Same),
        }
    }

    /// What tells the contents apart, times aside.
    fn content(&self) -> Option<MoveReason> {
        let Self { source, sink, .. } = self;
        if source.kind != sink.kind {
            return Some(MoveReason::Kind);
        }
        match source.kind {
            Kind::Symlink => self.differs(TARGET).then_some(MoveReason::Target),
            Kind::Directory => self.differs(MODE).then_some(MoveReason::Mode),
            Kind::File | Kind::Other(_) => {
                if source.size.zip(sink.size).is_some_and(|(source, sink)| source != sink) {
                    return Some(MoveReason::Size);
                }
                (self.same_checksums() == Some(false)).then_some(MoveReason::Checksum)
            }
        }
    }

    /// Whether the times tell that the contents may differ.
    fn time(&self) -> Option<MoveReason> {
        match (&self.source.kind, self.sink_keeps_times) {
            // A link is its target.
            (Kind::Symlink, _) => None,
            (_, true) => self.age().is_some_and(Ordering::is_ne).then_some(MoveReason::Time),
            // A directory is written to whenever something in it is.
            (Kind::Directory, false) => None,
            (_, false) => (self.age() == Some(Ordering::Greater) && self.same_checksums() != Some(true))
                .then_some(MoveReason::Newer),
        }
    }

    /// Greater if the source's was modified later; none if a store can't tell.
    fn age(&self) -> Option<Ordering> {
        let (source, sink) = (self.source.modified?, self.sink.modified?);
        let step = step(source).max(step(sink));
        Some(rounded(source, step).cmp(&rounded(sink, step)))
    }

    /// Whether all the checksums that both know agree; none if there is no such checksum.
    fn same_checksums(&self) -> Option<bool> {
        let both = self.source.checksums.iter().filter_map(|(algorithm, source)| {
            let sink = self.sink.checksums.get(algorithm)?;
            Some(source == sink)
        });
        both.reduce(|all, same| all && same)
    }

    /// What the source doesn't tell can't differ.
    fn differs(&self, attribute: &str) -> bool {
        let source = self.source.attributes.get(attribute);
        source.is_some() && source != self.sink.attributes.get(attribute)
    }
}

/// The resolution, in nanoseconds, that a time seems to be kept at.
fn step(time: SystemTime) -> i128 {
    let nanos = nanos(time);
    [1_000_000_000, 1_000_000, 1_000].into_iter().find(|step| nanos % step == 0).unwrap_or(1)
}

fn rounded(time: SystemTime, step: i128) -> i128 {
    nanos(time).div_euclid(step)
}

/// Nanoseconds since 1970, negative before.
fn nanos(time: SystemTime) -> i128 {
    let (nanos, sign) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_nanos(), 1),
        Err(before) => (before.duration().as_nanos(), -1),
    };
    i128::try_from(nanos).unwrap_or(i128::MAX) * sign
}

// === impl MoveReason ===

impl MoveReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Always => "always",
            Self::Newer => "newer",
            Self::Time => "time-differs",
            Self::Size => "size-differs",
            Self::Checksum => "checksum-differs",
            Self::Kind => "kind-differs",
            Self::Target => "target-differs",
            Self::Mode => "mode-differs",
        }
    }
}

// === impl SkipReason ===

impl SkipReason {
    /// One word for each reason.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Done => "done",
            Self::Exists => "exists",
            Self::NotNewer => "not-newer",
            Self::NotIncluded => "not-included",
            Self::Excluded => "excluded",
            Self::TooOld => "too-old",
            Self::TooNew => "too-new",
            Self::TooSmall => "too-small",
            Self::TooLarge => "too-large",
            Self::SinkCannotHold(_) => "sink-cannot-hold",
            Self::UnknownKind(_) => "unknown-kind",
        }
    }
}

impl fmt::Display for MoveReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "missing at the sink",
            Self::Always => "everything is overwritten",
            Self::Newer => "newer at the source",
            Self::Time => "another time",
            Self::Size => "another size",
            Self::Checksum => "another checksum",
            Self::Kind => "another kind",
            Self::Target => "another link target",
            Self::Mode => "another mode",
        })
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => formatter.write_str("the sink has the same"),
            Self::Done => formatter.write_str("moved earlier and unchanged since"),
            Self::Exists => formatter.write_str("the sink has one already"),
            Self::NotNewer => formatter.write_str("the sink's isn't older"),
            Self::NotIncluded => formatter.write_str("no include pattern matches"),
            Self::Excluded => formatter.write_str("an exclude pattern matches"),
            Self::TooOld => formatter.write_str("modified before modified_after"),
            Self::TooNew => formatter.write_str("modified at or after modified_before"),
            Self::TooSmall => formatter.write_str("smaller than min_size"),
            Self::TooLarge => formatter.write_str("larger than max_size"),
            Self::SinkCannotHold(Kind::Directory) => formatter.write_str("the sink can't hold directories"),
            Self::SinkCannotHold(kind) => write!(formatter, "the sink can't hold objects of kind {:?}", kind.as_str()),
            Self::UnknownKind(kind) => write!(formatter, "objects of kind {kind:?} aren't moved"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::object::{Algorithm, Key};

    fn file(size: u64, modified_millis: u64) -> Object {
        Object {
            key: Key::parse("a").expect("a key"),
            kind: Kind::File,
            size: Some(size),
            modified: Some(UNIX_EPOCH + Duration::from_millis(modified_millis)),
            version: None,
            checksums: Default::default(),
            attributes: Default::default(),
        }
    }

    fn with(attribute: &str, value: &str, object: Object) -> Object {
        Object { attributes: [(attribute.to_owned(), value.to_owned())].into(), ..object }
    }

    fn decision(source: &Object, sink: &Object, overwrite: Overwrite, words: &[&str]) -> &'static str {
        let capabilities = Capabilities::new(words.iter().map(|word| (*word).to_owned()));
        match decide(source, Some(sink), overwrite, &capabilities) {
            Decision::Move(reason) => reason.as_str(),
            Decision::Skip(reason) => reason.as_str(),
        }
    }

    #[test]
    fn what_the_sink_lacks_is_moved() {
        for overwrite in [Overwrite::Never, Overwrite::Always, Overwrite::IfNewer, Overwrite::IfDifferent] {
            let decision = decide(&file(1, 1), None, overwrite, &Capabilities::default());
            assert_eq!(decision, Decision::Move(MoveReason::Missing));
        }
    }

    #[test]
    fn overwrite_modes() {
        let source = file(1, 5_000);
        // The sink's, then the decisions of if-newer and if-different.
        let cases = [
            (file(1, 5_000), "same", "same"),
            (file(1, 5_400), "same", "same"),
            (file(1, 4_999), "newer", "time-differs"),
            (file(1, 6_000), "not-newer", "time-differs"),
            (file(2, 5_000), "size-differs", "size-differs"),
            (file(2, 4_000), "newer", "size-differs"),
            (file(2, 6_000), "not-newer", "size-differs"),
            (Object { modified: None, ..file(1, 0) }, "same", "same"),
            (Object { modified: None, ..file(2, 0) }, "size-differs", "size-differs"),
            (Object { kind: Kind::Directory, ..file(1, 5_000) }, "kind-differs", "kind-differs"),
            (Object { kind: Kind::Directory, ..file(1, 9_000) }, "not-newer", "kind-differs"),
        ];
        for (number, (sink, if_newer, if_different)) in cases.iter().enumerate() {
            assert_eq!(decision(&source, sink, Overwrite::Never, &["modified"]), "exists");
            assert_eq!(decision(&source, sink, Overwrite::Always, &["modified"]), "always");
            assert_eq!(decision(&source, sink, Overwrite::IfNewer, &["modified"]), *if_newer, "case {number}");
            assert_eq!(decision(&source, sink, Overwrite::IfDifferent, &["modified"]), *if_different, "case {number}");
        }
    }

    #[test]
    fn times_compare_at_the_coarser_resolution() {
        let same = |source, sink| decision(&file(1, source), &file(1, sink), Overwrite::IfDifferent, &["modified"]);
        assert_eq!(same(5_123, 5_000), "same");
        assert_eq!(same(5_123, 5_124), "time-differs");
        let fine = Object { modified: Some(UNIX_EPOCH + Duration::from_nanos(5_123_456_789)), ..file(1, 0) };
        assert_eq!(decision(&fine, &file(1, 5_123), Overwrite::IfDifferent, &["modified"]), "same");
        assert_eq!(decision(&fine, &file(1, 5_122), Overwrite::IfDifferent, &["modified"]), "time-differs");
        let before_1970 = Object { modified: Some(UNIX_EPOCH - Duration::from_millis(1_500)), ..file(1, 0) };
        let rounded = Object { modified: Some(UNIX_EPOCH - Duration::from_secs(2)), ..file(1, 0) };
        assert_eq!(decision(&before_1970, &rounded, Overwrite::IfDifferent, &["modified"]), "same");
    }

    #[test]
    fn a_sink_without_times_reports_when_it_was_written() {
        let (old, new) = (file(1, 5_000), file(1, 8_000));
        assert_eq!(decision(&old, &new, Overwrite::IfDifferent, &[]), "same");
        assert_eq!(decision(&new, &old, Overwrite::IfDifferent, &[]), "newer");
        assert_eq!(decision(&file(2, 5_000), &new, Overwrite::IfDifferent, &[]), "size-differs");
        let sum = |object: Object, digest| Object { checksums: [(Algorithm::Md5, vec![digest; 16])].into(), ..object };
        assert_eq!(decision(&sum(new.clone(), 1), &sum(old.clone(), 1), Overwrite::IfDifferent, &[]), "same");
        assert_eq!(decision(&sum(old, 1), &sum(new, 2), Overwrite::IfDifferent, &[]), "checksum-differs");
    }

    #[test]
    fn links_go_by_target_and_directories_by_mode_and_time() {
        let link = |target, modified| with(TARGET, target, Object { kind: Kind::Symlink, ..file(1, modified) });
        assert_eq!(decision(&link("x", 1), &link("x", 9_000), Overwrite::IfDifferent, &["modified"]), "same");
        assert_eq!(decision(&link("x", 1), &link("y", 1), Overwrite::IfDifferent, &["modified"]), "target-differs");
        let folder =
            |mode, modified| with(MODE, mode, Object { kind: Kind::Directory, size: None, ..file(0, modified) });
        for overwrite in [Overwrite::IfDifferent, Overwrite::IfNewer] {
            assert_eq!(decision(&folder("0755", 1), &folder("0755", 1), overwrite, &["modified"]), "same");
            assert_eq!(decision(&folder("0755", 1), &folder("0700", 1), overwrite, &["modified"]), "mode-differs");
            assert_eq!(decision(&folder("0755", 1), &folder("0755", 9_000), overwrite, &["modified"]), "time-differs");
            assert_eq!(decision(&folder("0755", 1), &folder("0755", 9_000), overwrite, &[]), "same");
        }
    }
}
