//! A list of keys as a file has it: one per line, or a column of a CSV such as a bucket's inventory.
//! Opens no file, and takes no key that no object can have.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read},
    num::NonZeroUsize,
    str::FromStr,
};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::KeySet;
use crate::object::{InvalidKey, Key, MAX_KEY_BYTES};

/// Most keys of a list: their set takes up to 1.6 GB then.
pub const MAX_KEYS: u64 = 50_000_000;

/// Longest row of a CSV in bytes: a quote that's left open must not swallow the memory.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// Most bad lines that are told one by one.
const MAX_TOLD: usize = 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How keys stand in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnlyFormat {
    /// One key per line, ended by LF. Empty lines mean nothing.
    Lines,
    Csv(CsvFormat),
}

/// Where a CSV (comma, double quotes) has its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    pub column: Column,
    /// Keys are URL-encoded, as in S3's inventories: `%2B` is a plus sign, and `+` a space.
    pub url_encoded: bool,
}

/// A column of a CSV. From text: a number, or else a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The first row has the names.
    Name(String),
    /// From 1; the first row is a key like the others.
    Number(NonZeroUsize),
}

/// Why a list can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum InvalidList {
    #[error("the list can't be read")]
    Read(#[source] io::Error),
    #[error("the first row names no column {wanted:?}; name one of {}", .found.join(", "))]
    NoColumn { wanted: String, found: Vec<String> },
    #[error("line {line}: the row is longer than {MAX_ROW_BYTES} bytes; look for a quote that's left open")]
    LongRow { line: u64 },
    #[error("the list has more than {MAX_KEYS} keys; split it")]
    TooMany,
    #[error("{0}")]
    Keys(BadLines),
}

/// A column that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("columns have a name, or a number from 1")]
pub struct InvalidColumn;

/// The lines that hold no key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BadLines {
    /// The first ones.
    pub told: Vec<BadLine>,
    /// How many there are besides.
    pub more: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: u64,
    pub reason: BadKey,
}

/// Why a line holds no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error("the key isn't UTF-8")]
    NotUtf8,
    #[error("the line ends in CR LF; end it in LF alone")]
    CarriageReturn,
    #[error("the row has no such column")]
    NoColumn,
    #[error("a \"%\" without two hexadecimal digits; is the list URL-encoded at all?")]
    Escape,
}

/// Reads a list.
///
/// # Errors
/// Says what about the list is wrong, and in which lines.
pub fn parse(reader: impl Read, format: &OnlyFormat) -> Result<KeySet, InvalidList> {
    let mut list = List { keys: KeySet::new(), count: 0, bad: BadLines::default() };
    match format {
        OnlyFormat::Lines => lines(BufReader::new(reader), &mut list)?,
        OnlyFormat::Csv(format) => rows(reader, format, &mut list)?,
    }
    if list.bad.told.is_empty() { Ok(list.keys.seal()) } else { Err(InvalidList::Keys(list.bad)) }
}

fn lines(mut reader: impl BufRead, list: &mut List) -> Result<(), InvalidList> {
    /// A key, its line's end, a mark in front, and one byte to tell that it's too long.
    const MOST: usize = MAX_KEY_BYTES + 1 + BYTE_ORDER_MARK.len() + 1;
    let mut line = Vec::with_capacity(MOST);
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(MOST as u64).read_until(b'\n', &mut line).map_err(InvalidList::Read)?;
        if read == 0 {
            break;
        }
        match line.strip_suffix(b"\n") {
            None if read == MOST => {
                reader.skip_until(b'\n').map_err(InvalidList::Read)?;
                list.push(number, Err(InvalidKey::TooLong.into()))?;
            }
            ended => {
                let line = ended.unwrap_or(&line);
                let mark = if number == 1 { BYTE_ORDER_MARK } else { &[] };
                let line = line.strip_prefix(mark).unwrap_or(line);
                if !line.is_empty() {
                    list.push(number, key_of_line(line))?;
                }
            }
        }
    }
    Ok(())
}

fn key_of_line(line: &[u8]) -> Result<Key, BadKey> {
    if line.ends_with(b"\r") {
        return Err(BadKey::CarriageReturn);
    }
    Ok(Key::parse(str::from_utf8(line).map_err(|_| BadKey::NotUtf8)?)?)
}

fn rows(reader: impl Read, format: &CsvFormat, list: &mut List) -> Result<(), InvalidList> {
    let reader = Bounded { reader, left: 0 };
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(reader);
    let mut row = ByteRecord::new();
    let column = match &format.column {
        Column::Number(number) => number.get() - 1,
        Column::Name(wanted) => {
            next_row(&mut reader, &mut row)?;
            let column = row.iter().position(|name| name == wanted.as_bytes());
            column.ok_or_else(|| InvalidList::NoColumn { wanted: wanted.clone(), found: names(&row) })?
        }
    };
    while next_row(&mut reader, &mut row)? {
        let line = row.position().map_or(0, csv::Position::line);
        let field = row.get(column).ok_or(BadKey::NoColumn);
        list.push(line, field.and_then(|field| key_of_field(field, format.url_encoded)))?;
    }
    Ok(())
}

fn next_row(reader: &mut Reader<Bounded<impl Read>>, row: &mut ByteRecord) -> Result<bool, InvalidList> {
    reader.get_mut().left = MAX_ROW_BYTES;
    let line = reader.position().line();
    reader.read_byte_record(row).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => InvalidList::LongRow { line },
        csv::ErrorKind::Io(error) => InvalidList::Read(error),
        // Uneven rows and any bytes are taken, so nothing else is expected.
        other => InvalidList::Read(io::Error::other(format!("{other:?}"))),
    })
}

fn names(header: &ByteRecord) -> Vec<String> {
    header.iter().take(MAX_TOLD).map(|name| format!("{:?}", String::from_utf8_lossy(name))).collect()
}

/// An inventory marks a folder by a slash at its end, which isn't part of its key.
fn key_of_field(field: &[u8], url_encoded: bool) -> Result<Key, BadKey> {
    let decoded = if url_encoded { url_decoded(field).ok_or(BadKey::Escape)? } else { field.to_vec() };
    let text = str::from_utf8(&decoded).map_err(|_| BadKey::NotUtf8)?;
    Ok(Key::parse(text.strip_suffix('/').unwrap_or(text))?)
}

fn url_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            other => other,
        });
    }
    Some(decoded)
}

struct List {
    keys: KeySet,
    count: u64,
    bad: BadLines,
}

/// A reader that ends in an error after so many bytes, unless it's given more.
struct Bounded<R> {
    reader: R,
    left: u64,
}

// === impl List ===

impl List {
    fn push(&mut self, line: u64, key: Result<Key, BadKey>) -> Result<(), InvalidList> {
        match key {
            Ok(_) if self.count >= MAX_KEYS => return Err(InvalidList::TooMany),
            Ok(key) => {
                self.count += 1;
                self.keys.push(&key);
            }
            Err(reason) if self.bad.told.len() < MAX_TOLD => self.bad.told.push(BadLine { line, reason }),
            Err(_) => self.bad.more += 1,
        }
        Ok(())
    }
}

// === impl Bounded ===

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.reader.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

// === impl Column ===

impl FromStr for Column {
    type Err = InvalidColumn;

    fn from_str(text: &str) -> Result<Self, InvalidColumn> {
        match text.parse::<usize>() {
            Ok(number) => NonZeroUsize::new(number).map(Self::Number).ok_or(InvalidColumn),
            Err(_) if text.is_empty() => Err(InvalidColumn),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

// === impl BadLines ===

impl fmt::Display for BadLines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, BadLine { line, reason }) in self.told.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}line {line}: {reason}")?;
        }
        if self.more > 0 {
            write!(formatter, "\nand {} more lines", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
