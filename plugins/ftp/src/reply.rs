//! Replies of a server (RFC 959, section 4.2): three digits and text, over several lines where a
//! hyphen follows the digits. Judges nothing.

use culvert_sdk::{
    error::{self, quote},
    types::Error,
};

/// Longest line of a reply in bytes.
pub(crate) const MAX_LINE_BYTES: usize = 8 * 1024;

/// Most lines of one reply: a banner is some dozens.
const MAX_LINES: usize = 1000;

/// Text of a reply that a message shows, in characters.
const SHOWN_CHARS: usize = 300;

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// Without the digits that begin its first and its last line.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// A reply on its way in, line by line.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    code: u16,
    lines: Vec<Vec<u8>>,
}

// === impl Reply ===

impl Reply {
    /// 2xx.
    pub(crate) fn is_done(&self) -> bool {
        self.code / 100 == 2
    }

    /// The last line's text as far as it's UTF-8.
    pub(crate) fn text(&self) -> String {
        self.lines.last().map(|line| String::from_utf8_lossy(line).trim().to_owned()).unwrap_or_default()
    }

    /// All lines in small letters, to look for words in.
    pub(crate) fn words(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        lines.join(" ").to_lowercase()
    }

    /// For a message: the code, and what the server says to it.
    pub(crate) fn shown(&self) -> String {
        let text: String = self.text().chars().take(SHOWN_CHARS).collect();
        format!("{} {}", self.code, quote(&text))
    }
}

// === impl Incoming ===

impl Incoming {
    /// Takes the next line; the reply once it's whole.
    ///
    /// # Errors
    /// `protocol` if it isn't one.
    pub(crate) fn take(&mut self, line: Vec<u8>) -> Result<Option<Reply>, Error> {
        if self.lines.len() >= MAX_LINES {
            return Err(error::protocol(format!("the server sent a reply of more than {MAX_LINES} lines")));
        }
        let begun = head(&line);
        let last = match (self.lines.is_empty(), begun) {
            (true, None) => {
                return Err(error::protocol("the server sent a line that isn't a reply of FTP; is it an FTP server?"));
            }
            (true, Some((code, more))) => {
                self.code = code;
                !more
            }
            (false, begun) => begun == Some((self.code, false)),
        };
        let text =
            if begun.is_some_and(|(code, _)| code == self.code) { line[line.len().min(4)..].to_vec() } else { line };
        self.lines.push(text);
        if !last {
            return Ok(None);
        }
        let Self { code, lines } = std::mem::take(self);
        Ok(Some(Reply { code, lines }))
    }
}

/// The code that a line begins with, and whether more lines follow.
fn head(line: &[u8]) -> Option<(u16, bool)> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let more = match line.get(3) {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    (100..600).contains(&code).then_some((code, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Vec<Reply> {
        let mut incoming = Incoming::default();
        lines.iter().filter_map(|line| incoming.take(line.as_bytes().to_vec()).expect("a reply")).collect()
    }

    #[test]
    fn replies_of_one_and_several_lines() {
        let replies =
            read(&["220 hello", "211-Features:", " MDTM", " 211 isn't the end", "230 nor this", "211 End", "200"]);
        let codes: Vec<_> = replies.iter().map(|reply| (reply.code, reply.lines.len())).collect();
        assert_eq!(codes, [(220, 1), (211, 5), (200, 1)]);
        assert_eq!((replies[0].text().as_str(), replies[1].text().as_str()), ("hello", "End"));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for line in ["", "hello", "SSH-2.0-x", "99 x", "2200 x", "600 x", "22x y"] {
            assert!(Incoming::default().take(line.as_bytes().to_vec()).is_err(), "{line}");
        }
        let mut incoming = Incoming::default();
        let endless = (0..=MAX_LINES).map(|_| incoming.take(b"220-x".to_vec()));
        assert!(endless.last().is_some_and(|last| last.is_err()));
    }
}
