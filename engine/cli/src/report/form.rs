//! Rows as CSV (RFC 4180), JSON Lines or a table for people, and lines that `sha256sum -c` takes.
//! Decides nothing about which rows there are.

use std::io::{self, Write};

use culvert_flow::{
    journal::Record,
    object::{Algorithm, Kind},
};

use super::list::{Cell, List, hex};
use crate::output::one_line;

/// How rows look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Csv,
    JsonLines,
    Table,
}

/// Writes the rows of one list.
pub(crate) enum Rows<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(W, List),
    Table(W, List),
}

// === impl Rows ===

impl<W: Write> Rows<W> {
    /// Writes the head, where there is one.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn new(mut to: W, list: List, form: Form) -> io::Result<Self> {
        match form {
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(to);
                writer.write_record(list.columns())?;
                Ok(Self::Csv(Box::new(writer)))
            }
            Form::JsonLines => Ok(Self::JsonLines(to, list)),
            Form::Table => {
                let names = list.columns().iter().map(|name| Cell::Borrowed(name));
                table(&mut to, list, &names.collect::<Vec<_>>())?;
                Ok(Self::Table(to, list))
            }
        }
    }

    /// Writes a row of this list.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        match self {
            Self::Csv(writer) => {
                for cell in cells {
                    match cell {
                        Cell::None => writer.write_field("")?,
                        Cell::Number(number) => writer.write_field(number.to_string())?,
                        Cell::Borrowed(text) => writer.write_field(text)?,
                        Cell::Text(text) => writer.write_field(text)?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
                Ok(())
            }
            Self::JsonLines(to, list) => json(to, *list, cells),
            Self::Table(to, list) => table(to, *list, cells),
        }
    }

    /// # Errors
    /// What was written isn't all there.
    pub(crate) fn finish(self) -> io::Result<W> {
        let mut to = match self {
            Self::Csv(writer) => writer.into_inner().map_err(|error| io::Error::from(error.error().kind()))?,
            Self::JsonLines(to, _) | Self::Table(to, _) => to,
        };
        to.flush()?;
        Ok(to)
    }
}

/// One object with the columns in their order.
fn json(to: &mut impl Write, list: List, cells: &[Cell<'_>]) -> io::Result<()> {
    for (number, (name, cell)) in list.columns().iter().zip(cells).enumerate() {
        write!(to, "{}\"{name}\":", if number == 0 { '{' } else { ',' })?;
        match cell {
            Cell::None => to.write_all(b"null")?,
            Cell::Number(number) => write!(to, "{number}")?,
            Cell::Borrowed(text) => serde_json::to_writer(&mut *to, text)?,
            Cell::Text(text) => serde_json::to_writer(&mut *to, text)?,
        }
    }
    to.write_all(b"}\n")
}

/// What has a width in columns, then the key and the message, which may be of any length.
fn table(to: &mut impl Write, list: List, cells: &[Cell<'_>]) -> io::Result<()> {
    let mut open = Vec::new();
    for (name, cell) in list.columns().iter().zip(cells) {
        let text = match cell {
            Cell::None => "-".to_owned(),
            Cell::Number(number) => number.to_string(),
            Cell::Borrowed(text) => one_line(text),
            Cell::Text(text) => one_line(text),
        };
        match width(name) {
            0 => open.push(text),
            width if *name == "size" || *name == "attempts" => write!(to, "{text:>width$}  ")?,
            width => write!(to, "{text:<width$}  ")?,
        }
    }
    writeln!(to, "{}", open.join("  "))
}

fn width(column: &str) -> usize {
    match column {
        "kind" => 9,
        "size" => 14,
        "modified" => 30,
        "grade" | "code" => 19,
        "reason" => 16,
        "moved" => 24,
        "attempts" => 8,
        _ => 0,
    }
}

/// The line of GNU coreutils' `sha256sum`; none without a SHA-256. A name with a backslash or a line
/// break is escaped, and the line says so by its first character (coreutils manual, "md5sum
/// invocation").
pub(crate) fn sha256sum(record: &Record) -> Option<String> {
    let digest = record.checksums.get(&Algorithm::Sha256).filter(|_| record.kind == Kind::File)?;
    let name = &record.name;
    let digest = hex(digest);
    if !name.contains(['\\', '\n', '\r']) {
        return Some(format!("{digest}  {name}\n"));
    }
    let name = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    Some(format!("\\{digest}  {name}\n"))
}
