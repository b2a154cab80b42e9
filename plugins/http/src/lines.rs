//! A list's lines and the entry in each: the line itself, or a column of a CSV (RFC 4180, without line
//! breaks inside quotes). Holds one line.

use culvert_sdk::{StreamReader, StreamResult, http::Ended, prelude::*};

/// Longest line in bytes: keys have at most 4096, and an inventory has some columns beside them.
const MAX_LINE_BYTES: usize = 64 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;

/// Lines of a text that is there, or still coming.
pub(crate) struct Lines {
    buffer: Vec<u8>,
    rest: Option<(StreamReader<u8>, Ended)>,
}

/// Which part of a line is the entry.
#[derive(Debug)]
pub(crate) enum Column {
    Line,
    Number(usize),
    /// To be looked for in the first row.
    Named(String),
}

// === impl Lines ===

impl Lines {
    pub(crate) fn of_text(text: &str) -> Self {
        Self { buffer: text.as_bytes().to_vec(), rest: None }
    }

    pub(crate) fn of_stream(data: StreamReader<u8>, ended: Ended) -> Self {
        Self { buffer: Vec::new(), rest: Some((data, ended)) }
    }

    /// The next line without its end; none behind the last.
    ///
    /// # Errors
    /// The list broke off, or isn't text.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return text(&line[..end]).map(Some);
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(error::protocol(format!("the list has a line of more than {MAX_LINE_BYTES} bytes")));
            }
            let Some((data, _)) = &mut self.rest else {
                let line = std::mem::take(&mut self.buffer);
                return if line.is_empty() { Ok(None) } else { text(&line).map(Some) };
            };
            let (result, read) = data.read(Vec::with_capacity(CHUNK_BYTES)).await;
            self.buffer.extend(read);
            if result == StreamResult::Dropped
                && let Some((_, ended)) = self.rest.take()
            {
                ended.await?;
            }
        }
    }
}

fn text(line: &[u8]) -> Result<String, Error> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).map_err(|_| error::protocol("the list isn't UTF-8"))
}

// === impl Column ===

impl Column {
    pub(crate) fn new(column: Option<&str>) -> Self {
        match column.map(|column| (column, column.parse::<usize>())) {
            None => Self::Line,
            Some((_, Ok(number))) if number > 0 => Self::Number(number),
            Some((name, _)) => Self::Named(name.to_owned()),
        }
    }

    /// The entry of a line; none where there is none: a comment, an empty line, the row of names.
    ///
    /// # Errors
    /// `invalid-config` where the first row has no such name.
    pub(crate) fn entry(&mut self, line: &str) -> Result<Option<String>, Error> {
        let number = match self {
            Self::Line => {
                let line = line.trim();
                return Ok((!line.is_empty() && !line.starts_with('#')).then(|| line.to_owned()));
            }
            Self::Number(number) => *number,
            Self::Named(name) => {
                let found = cells(line).iter().position(|cell| cell == name);
                let place = found.ok_or_else(|| {
                    error::invalid_config(format!("column: the first row of the list has no {}", quote(name)))
                })?;
                *self = Self::Number(place + 1);
                return Ok(None);
            }
        };
        Ok(cells(line).into_iter().nth(number - 1).filter(|cell| !cell.is_empty()))
    }
}

fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            letter => cell.push(letter),
        }
    }
    cells.push(cell);
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn entries(column: Option<&str>, lines: &[&str]) -> Vec<String> {
        let mut column = Column::new(column);
        lines.iter().filter_map(|line| column.entry(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_an_entry_unless_it_says_nothing() {
        assert_eq!(entries(None, &["http://a/1", "", "# no", " http://a/2 "]), ["http://a/1", "http://a/2"]);
    }

    #[test]
    fn a_column_is_found_by_number_and_by_name() {
        let rows = ["bucket,key,size", "b,\"a,\"\"1\"\"\",5", "b,x/y,7", "b"];
        assert_eq!(entries(Some("key"), &rows), ["a,\"1\"", "x/y"]);
        assert_eq!(entries(Some("2"), &rows[1..]), ["a,\"1\"", "x/y"]);
        assert_eq!(Column::new(Some("url")).entry("a,b").unwrap_err().code, "invalid-config");
    }
}
