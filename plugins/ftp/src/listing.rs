//! Lines of a listing to what they name: the format of MLSD (RFC 3659), and the two that LIST has
//! in the wild. Makes no object and trusts no name.

mod dos;
mod facts;
mod unix;

use culvert_sdk::wasi::clocks::system_clock::Instant;

/// Longest line of a listing in bytes: a path of 4096 with its target and some facts.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// With its target where the server tells it.
    Symlink(Option<Vec<u8>>),
    /// A device, a socket, whatever the server calls it.
    Other(String),
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) size: Option<u64>,
    /// In UTC; none where the server gives local time only.
    pub(crate) modified: Option<Instant>,
    /// Permission bits.
    pub(crate) mode: Option<u32>,
}

/// A line that names something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Item(Item),
    /// Nothing to list: the folder itself, its parent, a total.
    Nothing,
    Unreadable,
}

/// How the lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Facts,
    List,
}

/// Takes one line, without its end.
pub(crate) fn parse(format: Format, line: &[u8]) -> Line {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Nothing;
    }
    if line.len() > MAX_LINE_BYTES {
        return Line::Unreadable;
    }
    let parsed = match format {
        Format::Facts => facts::parse(line),
        Format::List => unix::parse(line).or_else(|| dos::parse(line)),
    };
    match parsed {
        Some(Line::Item(item)) if [&b"."[..], b".."].contains(&item.name.as_slice()) => Line::Nothing,
        // A name with a slash would lead out of the folder.
        Some(Line::Item(item)) if item.name.is_empty() || item.name.contains(&b'/') => Line::Unreadable,
        Some(line) => line,
        None if format == Format::List && is_total(line) => Line::Nothing,
        None => Line::Unreadable,
    }
}

fn is_total(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line).to_ascii_lowercase();
    line.strip_prefix("total").is_some_and(|rest| rest.trim().bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_nothing_is_left_out() {
        for line in [
            "",
            "   ",
            "total 12",
            "total 0",
            "drwxr-xr-x 2 0 0 4096 Jan 01 10:00 .",
            "drwxr-xr-x 2 0 0 4096 Jan 01 10:00 ..",
        ] {
            assert_eq!(parse(Format::List, line.as_bytes()), Line::Nothing, "{line}");
        }
        for line in ["type=cdir;modify=20200101000000; .", "type=pdir; /", "type=dir; ..", ""] {
            assert_eq!(parse(Format::Facts, line.as_bytes()), Line::Nothing, "{line}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_unreadable() {
        for line in ["type=file;size=1; ../x", "type=file;size=1; a/b", "size=1;"] {
            assert_eq!(parse(Format::Facts, line.as_bytes()), Line::Unreadable, "{line}");
        }
        assert_eq!(parse(Format::List, b"-rw-r--r-- 1 0 0 5 Jan 01 10:00 ../../etc/passwd"), Line::Unreadable);
        assert_eq!(parse(Format::List, b"what is this"), Line::Unreadable);
        assert_eq!(parse(Format::Facts, &[b'x'; MAX_LINE_BYTES + 1]), Line::Unreadable);
    }
}
