//! Lines of MLSD and MLST: `fact=value;fact=value; name` (RFC 3659, section 7). Exact, and in UTC.

use super::{Item, Kind, Line};
use crate::time;

/// Takes one line; none if it isn't one of this format.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (facts, name) = (std::str::from_utf8(&line[..space]).ok()?, &line[space + 1..]);
    let (mut kind, mut size, mut modified, mut mode) = (Kind::File, None, None, None);
    for fact in facts.split(';').filter(|fact| !fact.is_empty()) {
        let (word, value) = fact.split_once('=')?;
        match word.to_ascii_lowercase().as_str() {
            "type" => match parse_kind(value) {
                Some(is) => kind = is,
                None => return Some(Line::Nothing),
            },
            "size" => size = Some(value.parse().ok()?),
            "modify" => modified = time::parse(value),
            "unix.mode" => mode = u32::from_str_radix(value, 8).ok().map(|mode| mode & 0o7777),
            _ => {}
        }
    }
    Some(Line::Item(Item { name: name.to_vec(), kind, size, modified, mode }))
}

/// None for the listed folder itself and for its parent.
fn parse_kind(value: &str) -> Option<Kind> {
    let lower = value.to_ascii_lowercase();
    Some(match lower.as_str() {
        "cdir" | "pdir" => return None,
        "dir" => Kind::Directory,
        "file" => Kind::File,
        "os.unix=symlink" | "os.unix=slink" => Kind::Symlink(None),
        _ if lower.starts_with("os.unix=slink:") => {
            Kind::Symlink(Some(value.as_bytes()["os.unix=slink:".len()..].to_vec()))
        }
        _ => Kind::Other(lower.chars().filter(|character| !character.is_control()).take(32).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(line: &str) -> Item {
        match parse(line.as_bytes()) {
            Some(Line::Item(item)) => item,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn lines_of_real_servers() {
        let proftpd =
            item("modify=20260501120000;perm=adfrw;size=5;type=file;unique=10U1;UNIX.group=0;UNIX.mode=0644; a b ");
        assert_eq!((proftpd.name.as_slice(), proftpd.size, proftpd.mode), (&b"a b "[..], Some(5), Some(0o644)));
        assert_eq!(proftpd.modified, time::parse("20260501120000"));
        let pure = item("type=dir;siz=4096;modify=20260501120000;UNIX.mode=0755;unique=1g2; -x;y=z");
        assert_eq!((pure.name.as_slice(), pure.kind, pure.size), (&b"-x;y=z"[..], Kind::Directory, None));
        let link = item("type=OS.unix=slink:/a b;size=3; l");
        // A blank ends the facts, so a target with one can't be told from the name.
        assert_eq!(link.kind, Kind::Symlink(Some(b"/a".to_vec())));
        assert_eq!(item("Type=OS.unix=symlink; l").kind, Kind::Symlink(None));
        assert_eq!(item("type=OS.unix=chr-1/3; null").kind, Kind::Other("os.unix=chr-1/3".into()));
        assert_eq!(item("size=1;  leading").name, b" leading");
    }

    #[test]
    fn what_is_no_fact_is_refused() {
        for line in ["nothing", "-rw-r--r-- 1 0 0 5 Jan 01 10:00 x", "size=x; a", "size=-1; a"] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
