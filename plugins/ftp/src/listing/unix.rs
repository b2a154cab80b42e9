//! LIST as `ls -l` writes it: type and permissions, links, owner, group, size, three words of time,
//! one blank, the name. The times are local and without a zone, so they aren't taken.

use super::{Item, Kind, Line};

/// Words between the permissions and the name: links, owner, group, size, month, day, year or time.
/// Some servers leave out the links or the group.
const MAX_WORDS: usize = 8;

/// Takes one line; none if it isn't one of this format.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let mode = line.get(..10)?;
    let kind = mode[0];
    if !b"-dlbcpsD".contains(&kind) || !mode[1..].iter().all(|byte| b"rwxsStT-".contains(byte)) {
        return None;
    }
    let words = words(line);
    let (size, name) = find(line, &words)?;
    let is_device = b"bc".contains(&kind);
    let mut name = name.to_vec();
    let kind = match kind {
        b'-' => Kind::File,
        b'd' => Kind::Directory,
        b'l' => Kind::Symlink(split_target(&mut name)),
        other => Kind::Other(char::from(other).to_string()),
    };
    let size = if is_device { None } else { size };
    Some(Line::Item(Item { name, kind, size, modified: None, mode: Some(bits(&mode[1..])) }))
}

/// Where the words behind the permissions begin and end.
fn words(line: &[u8]) -> Vec<(usize, usize)> {
    let mut words = Vec::with_capacity(MAX_WORDS);
    let mut at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    while words.len() < MAX_WORDS {
        let Some(begin) = line[at..].iter().position(|byte| *byte != b' ').map(|skip| at + skip) else { break };
        let end = line[begin..].iter().position(|byte| *byte == b' ').map_or(line.len(), |length| begin + length);
        words.push((begin, end));
        at = end;
    }
    words
}

/// The size and the name: the name follows the first month, day and year or time of day.
fn find<'a>(line: &'a [u8], words: &[(usize, usize)]) -> Option<(Option<u64>, &'a [u8])> {
    let text = |index: usize| words.get(index).and_then(|(begin, end)| std::str::from_utf8(&line[*begin..*end]).ok());
    let month = (2..words.len().saturating_sub(2))
        .find(|month| is_number(text(month - 1)) && is_date(text(*month), text(month + 1), text(month + 2)))?;
    let (_, end) = words[month + 2];
    // Exactly one blank: further ones belong to the name.
    let name = line.get(end + 1..)?;
    Some((text(month - 1).and_then(|size| size.parse().ok()), name))
}

/// `Jan 01 10:00`, `1 Jan 2024` or `2024-01-01 10:00 +0000` without its zone in two words at least.
fn is_date(first: Option<&str>, second: Option<&str>, third: Option<&str>) -> bool {
    let (Some(first), Some(second), Some(third)) = (first, second, third) else { return false };
    let is_month =
        |word: &str| word.chars().count() >= 3 && word.chars().all(|letter| letter.is_alphabetic() || letter == '.');
    let is_day = |word: &str| word.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day));
    let is_year_or_time = third.parse::<u16>().is_ok_and(|year| year >= 1900)
        || third.split_once(':').is_some_and(|(hour, minute)| is_number(Some(hour)) && is_number(Some(minute)));
    is_year_or_time && ((is_month(first) && is_day(second)) || (is_day(first) && is_month(second)))
}

fn is_number(word: Option<&str>) -> bool {
    word.is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn split_target(name: &mut Vec<u8>) -> Option<Vec<u8>> {
    let arrow = name.windows(4).position(|window| window == b" -> ")?;
    let target = name[arrow + 4..].to_vec();
    name.truncate(arrow);
    Some(target)
}

/// `rwxr-sr-t` to bits.
fn bits(letters: &[u8]) -> u32 {
    let mut bits = 0;
    for (index, letter) in letters.iter().enumerate() {
        let place = 8 - index;
        let special = [0o4000, 0o2000, 0o1000][index / 3];
        match letter {
            b'-' => {}
            b's' | b't' => bits |= 1 << place | special,
            b'S' | b'T' => bits |= special,
            _ => bits |= 1 << place,
        }
    }
    bits
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
        for (line, name, size) in [
            ("-rw-r--r--    1 0        0               5 Nov 23 20:49 a b", "a b", 5),
            ("-rw-r--r--    1 1000     1000           12 Jan  2  2019  two", " two", 12),
            ("-rw-r--r--   1 root     root   1073741824 Feb 28 23:59 -x", "-x", 1_073_741_824),
            ("-rw-r--r-- 1 owner 7 Dec 31 2020 no group", "no group", 7),
            ("-rw-r--r-- 1 o g 7 31 Dec 2020 day first", "day first", 7),
            ("-rw-r--r-- 1 a b 3 Nov 23 20:49 Jan 01 10:00 x", "Jan 01 10:00 x", 3),
            ("-rwSr-sr-T 1 a b 3 Nov 23 20:49 trailing  ", "trailing  ", 3),
        ] {
            let item = item(line);
            assert_eq!((String::from_utf8_lossy(&item.name).as_ref(), item.size), (name, Some(size)), "{line}");
        }
        assert_eq!(item("-rwSr-sr-T 1 a b 3 Nov 23 20:49 x").mode, Some(0o7654));
    }

    #[test]
    fn links_folders_and_devices() {
        let link = item("lrwxrwxrwx 1 0 0 3 Nov 23 20:49 l -> ../a -> b");
        assert_eq!((link.name.as_slice(), link.kind), (&b"l"[..], Kind::Symlink(Some(b"../a -> b".to_vec()))));
        assert_eq!(item("drwxr-xr-x 2 0 0 4096 Nov 23 20:49 d").kind, Kind::Directory);
        let device = item("crw-rw-rw- 1 0 0 1, 3 Nov 23 20:49 null");
        assert_eq!((device.kind, device.size), (Kind::Other("c".into()), None));
    }

    #[test]
    fn other_lines_are_refused() {
        for line in
            ["", "total 5", "-rw-r--r--", "-rw-r--r-- 1 a b x Nov 23 20:49 y", "01-02-20  10:00AM  5 x", "type=file; x"]
        {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
