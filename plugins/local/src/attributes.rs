//! Between a file's status and an object: kind, version tag, mode and owner, both ways. Touches no
//! file.

use culvert_sdk::{
    error::{self, quote},
    posix::{Changes, Kind, KnownFile, Status},
    types::{Attribute, Error, Object},
    wasi::clocks::system_clock::Instant,
};

/// Most that `posix.mode` can say: permission bits, set-uid, set-gid and sticky.
const MAX_MODE: u32 = 0o7777;

const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;

/// The object at `key`. `target` is where it leads to if it's a symlink.
pub(crate) fn object(key: String, status: &Status, target: Option<String>) -> Object {
    let mut attributes =
        vec![attribute("posix.uid", status.uid.to_string()), attribute("posix.gid", status.gid.to_string())];
    if status.kind != Kind::Symlink {
        attributes.push(attribute("posix.mode", format!("{:04o}", status.mode & MAX_MODE)));
    }
    if let Some(target) = target {
        attributes.push(attribute("posix.target", target));
    }
    let is_file = status.kind == Kind::File;
    Object {
        key,
        kind: kind(status.kind).to_owned(),
        size: Some(if is_file { status.size } else { 0 }),
        modified: Some(status.modified),
        // A directory's times change with its entries, which are objects of their own.
        version: (status.kind != Kind::Directory).then(|| version(status)),
        checksums: Vec::new(),
        attributes,
    }
}

/// Equal tags mean equal bytes: no content changes without its change time, which nobody can set.
pub(crate) fn version(status: &Status) -> String {
    let [modified, changed] = [status.modified, status.changed]
        .map(|time| i128::from(time.seconds) * NANOSECONDS_PER_SECOND + i128::from(time.nanoseconds));
    format!("{:x}-{:x}-{modified:x}-{changed:x}", status.inode, status.size)
}

/// The file that had this version when it was listed; none if it's no version of this connector's.
pub(crate) fn known(path: String, version: &str) -> Option<KnownFile> {
    let mut fields = version.split('-').map(|field| u128::from_str_radix(field, 16));
    let mut next = || fields.next()?.ok();
    let (inode, size) = (next()?.try_into().ok()?, next()?.try_into().ok()?);
    let (modified, changed) = (instant(next()?)?, instant(next()?)?);
    fields.next().is_none().then_some(KnownFile { path, size, modified, changed, inode })
}

/// The time that [`version`] wrote, in nanoseconds as a two's complement.
fn instant(nanoseconds: u128) -> Option<Instant> {
    let nanoseconds = nanoseconds.cast_signed();
    Some(Instant {
        seconds: nanoseconds.div_euclid(NANOSECONDS_PER_SECOND).try_into().ok()?,
        nanoseconds: nanoseconds.rem_euclid(NANOSECONDS_PER_SECOND).try_into().ok()?,
    })
}

/// What is to be set on the stored object. The owner only where `owner` asks for it.
///
/// # Errors
/// `unsupported` for an attribute that can't be understood: dropping it would be a silent change.
pub(crate) fn changes(object: &Object, owner: bool) -> Result<Changes, Error> {
    let mut changes = Changes { mode: None, uid: None, gid: None, modified: object.modified };
    for Attribute { name, value } in &object.attributes {
        match name.as_str() {
            "posix.mode" => changes.mode = Some(mode(value).ok_or_else(|| misread(object, name, value))?),
            "posix.uid" if owner => changes.uid = Some(value.parse().map_err(|_| misread(object, name, value))?),
            "posix.gid" if owner => changes.gid = Some(value.parse().map_err(|_| misread(object, name, value))?),
            _ => {}
        }
    }
    Ok(changes)
}

/// Whether there is anything to change.
pub(crate) fn is_empty(changes: &Changes) -> bool {
    let Changes { mode, uid, gid, modified } = changes;
    mode.is_none() && uid.is_none() && gid.is_none() && modified.is_none()
}

/// An object's attribute.
pub(crate) fn value<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}

fn attribute(name: &str, value: String) -> Attribute {
    Attribute { name: name.to_owned(), value }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Other => "other",
    }
}

fn mode(text: &str) -> Option<u32> {
    // `from_str_radix` would take a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    u32::from_str_radix(text, 8).ok().filter(|mode| is_number && *mode <= MAX_MODE)
}

fn misread(object: &Object, name: &str, value: &str) -> Error {
    let wanted = if name == "posix.mode" { "an octal number up to 7777" } else { "a number below 4294967296" };
    error::unsupported(format!("{name} of {} is {}: expected {wanted}", quote(&object.key), quote(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: Kind) -> Status {
        Status {
            kind,
            size: 4096,
            modified: Instant { seconds: 2, nanoseconds: 5 },
            changed: Instant { seconds: -1, nanoseconds: 999_999_999 },
            mode: 0o100_644,
            uid: 1000,
            gid: 100,
            inode: 255,
        }
    }

    fn with(name: &str, value: &str) -> Object {
        let mut object = object("a".into(), &status(Kind::File), None);
        object.attributes = vec![attribute(name, value.into())];
        object
    }

    #[test]
    fn a_file_has_size_version_mode_and_owner() {
        let object = object("a/b".into(), &status(Kind::File), None);
        assert_eq!((object.kind.as_str(), object.size), ("file", Some(4096)));
        let version = format!("ff-1000-{:x}-{:x}", 2_000_000_005_i128, -1_i128);
        assert_eq!(object.version, Some(version));
        assert_eq!(value(&object, "posix.mode"), Some("0644"));
        assert_eq!(value(&object, "posix.uid"), Some("1000"));
        assert_eq!(value(&object, "posix.gid"), Some("100"));
    }

    #[test]
    fn a_link_has_its_target_and_no_bytes() {
        let object = object("l".into(), &status(Kind::Symlink), Some("../x".into()));
        assert_eq!((object.kind.as_str(), object.size), ("symlink", Some(0)));
        assert_eq!(value(&object, "posix.target"), Some("../x"));
        assert_eq!(value(&object, "posix.mode"), None);
    }

    #[test]
    fn a_directory_has_no_version() {
        let object = object("d".into(), &status(Kind::Directory), None);
        assert_eq!((object.kind.as_str(), object.size, object.version), ("directory", Some(0), None));
    }

    #[test]
    fn the_version_follows_every_field() {
        let status = status(Kind::File);
        let later = Instant { seconds: 2, nanoseconds: 6 };
        for other in [
            Status { inode: 256, ..status },
            Status { size: 4097, ..status },
            Status { modified: later, ..status },
            Status { changed: later, ..status },
        ] {
            assert_ne!(version(&status), version(&other));
        }
    }

    #[test]
    fn a_version_tells_which_file_it_was() {
        let status = status(Kind::File);
        let known = known("a".to_owned(), &version(&status)).expect("a version");
        assert_eq!((known.inode, known.size), (status.inode, status.size));
        assert_eq!((known.modified, known.changed), (status.modified, status.changed));
        for other in ["", "1", "1-2-3", "1-2-3-4-5", "1-2-3-x", "1-2-3-+4-", "1--3-4"] {
            assert_eq!(super::known("a".to_owned(), other), None, "{other:?}");
        }
    }

    #[test]
    fn mode_is_octal_and_bounded() {
        assert_eq!(changes(&with("posix.mode", "4755"), false).map(|changes| changes.mode), Ok(Some(0o4755)));
        for wrong in ["", "-1", "+7", "0o644", "888", "10000", "77777777777777"] {
            let code = changes(&with("posix.mode", wrong), false).map_err(|error| error.code).err();
            assert_eq!(code.as_deref(), Some("unsupported"), "{wrong:?}");
        }
    }

    #[test]
    fn the_owner_is_kept_on_request_only() {
        let object = with("posix.uid", "7");
        assert_eq!(changes(&object, false).map(|changes| changes.uid), Ok(None));
        assert_eq!(changes(&object, true).map(|changes| changes.uid), Ok(Some(7)));
        assert!(changes(&with("posix.gid", "x"), true).is_err());
        assert!(changes(&with("posix.gid", "x"), false).is_ok());
    }

    #[test]
    fn nothing_to_change_is_noticed() {
        let mut object = with("user.note", "x");
        assert!(changes(&object, true).is_ok_and(|changes| !is_empty(&changes)));
        object.modified = None;
        assert!(changes(&object, true).is_ok_and(|changes| is_empty(&changes)));
    }
}
