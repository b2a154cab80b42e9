//! Whether the pipeline's selection takes an object. Looks at its key, size and time only, and at no
//! store.

use crate::{
    compare::SkipReason,
    object::{Kind, Object},
    rules::Selection,
};

/// Why an object stays where it is; none if it's selected. Sizes and times are asked of files only,
/// and a rule about something that the store can't tell lets the object through: moving it is the
/// error that loses nothing.
pub(crate) fn refusal(object: &Object, selection: &Selection) -> Option<SkipReason> {
    let key = object.key.as_str();
    if selection.include.as_ref().is_some_and(|include| !include.is_match(key)) {
        return Some(SkipReason::NotIncluded);
    }
    if selection.exclude.as_ref().is_some_and(|exclude| exclude.is_match(key)) {
        return Some(SkipReason::Excluded);
    }
    if object.kind != Kind::File {
        return None;
    }
    if let Some(modified) = object.modified {
        if selection.modified_after.is_some_and(|after| modified < after) {
            return Some(SkipReason::TooOld);
        }
        if selection.modified_before.is_some_and(|before| modified >= before) {
            return Some(SkipReason::TooNew);
        }
    }
    let size = object.size?;
    if selection.min_size.is_some_and(|least| size < least.0) {
        return Some(SkipReason::TooSmall);
    }
    selection.max_size.is_some_and(|most| size > most.0).then_some(SkipReason::TooLarge)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use globset::{Glob, GlobSet, GlobSetBuilder};

    use super::*;
    use crate::{
        object::{Checksums, Key},
        rules::ByteSize,
    };

    fn globs(globs: &[&str]) -> Option<GlobSet> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(Glob::new(glob).expect("a glob"));
        }
        Some(set.build().expect("globs"))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn file(key: &str) -> Object {
        Object {
            key: Key::parse(key).expect("a key"),
            kind: Kind::File,
            size: Some(10),
            modified: Some(at(100)),
            version: None,
            checksums: Checksums::new(),
            attributes: Default::default(),
        }
    }

    #[test]
    fn every_rule_must_let_an_object_through() {
        let all = Selection::default();
        let cases = [
            (all.clone(), None),
            (Selection { include: globs(&["**/*.tif"]), ..all.clone() }, None),
            (Selection { include: globs(&["*.jpg"]), ..all.clone() }, Some(SkipReason::NotIncluded)),
            (Selection { exclude: globs(&["a/**"]), ..all.clone() }, Some(SkipReason::Excluded)),
            (Selection { modified_after: Some(at(100)), ..all.clone() }, None),
            (Selection { modified_after: Some(at(101)), ..all.clone() }, Some(SkipReason::TooOld)),
            (Selection { modified_before: Some(at(101)), ..all.clone() }, None),
            (Selection { modified_before: Some(at(100)), ..all.clone() }, Some(SkipReason::TooNew)),
            (Selection { min_size: Some(ByteSize(11)), ..all.clone() }, Some(SkipReason::TooSmall)),
            (Selection { max_size: Some(ByteSize(9)), ..all.clone() }, Some(SkipReason::TooLarge)),
            (Selection { min_size: Some(ByteSize(10)), max_size: Some(ByteSize(10)), ..all }, None),
        ];
        for (number, (selection, expected)) in cases.into_iter().enumerate() {
            assert_eq!(refusal(&file("a/b.tif"), &selection), expected, "case {number}");
        }
    }

    #[test]
    fn a_folder_has_no_size_and_what_a_store_cannot_tell_is_moved() {
        let selection = Selection { min_size: Some(ByteSize(11)), modified_after: Some(at(200)), ..Default::default() };
        let folder = Object { kind: Kind::Directory, ..file("a") };
        assert_eq!(refusal(&folder, &selection), None);
        let unknown = Object { size: None, modified: None, ..file("a") };
        assert_eq!(refusal(&unknown, &selection), None);
    }
}
