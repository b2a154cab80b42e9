//! LIST as IIS writes it: `01-31-24  10:05AM  <DIR>  name`, or with a size. The times are local and
//! without a zone, so they aren't taken.

use super::{Item, Kind, Line};

/// Bytes from the beginning of `<DIR>` to that of the name, as IIS writes them.
const KIND_COLUMN: usize = 15;

/// Takes one line; none if it isn't one of this format.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let mut rest = line;
    let mut word = || {
        let begin = rest.iter().position(|byte| *byte != b' ')?;
        let length = rest[begin..].iter().position(|byte| *byte == b' ')?;
        let word = std::str::from_utf8(&rest[begin..begin + length]).ok()?;
        rest = &rest[begin + length..];
        Some(word)
    };
    let (date, time, size) = (word()?, word()?, word()?);
    let is_date =
        date.len() >= 8 && date.split('-').count() == 3 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let digits = time.to_ascii_uppercase();
    let digits = digits.trim_end_matches(['A', 'P', 'M']);
    let is_time =
        digits.split_once(':').is_some_and(|(hour, minute)| hour.parse::<u8>().is_ok() && minute.parse::<u8>().is_ok());
    if !is_date || !is_time {
        return None;
    }
    let gap = KIND_COLUMN.saturating_sub(size.len());
    let (kind, size) = match size {
        "<DIR>" => (Kind::Directory, None),
        "<JUNCTION>" | "<SYMLINKD>" | "<SYMLINK>" => (Kind::Symlink(None), None),
        size => (Kind::File, Some(size.parse().ok()?)),
    };
    // A folder's name stands in a column of its own, a file's behind one blank. More are the name's.
    let name = match rest.split_at_checked(gap) {
        _ if size.is_some() => rest.get(1..)?,
        Some((blanks, name)) if blanks.iter().all(|byte| *byte == b' ') => name,
        _ => rest.trim_ascii_start(),
    };
    Some(Line::Item(Item { name: name.to_vec(), kind, size, modified: None, mode: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_iis() {
        let item = |line: &str| match parse(line.as_bytes()) {
            Some(Line::Item(item)) => (String::from_utf8_lossy(&item.name).into_owned(), item.kind, item.size),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(item("01-31-24  10:05AM       <DIR>          a folder"), ("a folder".into(), Kind::Directory, None));
        assert_eq!(item("01-31-24  10:05AM       <DIR>            two").0, "  two");
        assert_eq!(item("01-31-24  10:05AM       <JUNCTION>     x").0, "x");
        assert_eq!(item("01-31-24  10:05AM  <DIR>  near").0, "near");
        assert_eq!(item("01-31-2024  22:05             12345 a  b.txt"), ("a  b.txt".into(), Kind::File, Some(12345)));
        for line in ["01-31-24 10:05AM", "x y z name", "01-31-24  10:05AM  x name", "01-31-24 1005 5 name"] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
