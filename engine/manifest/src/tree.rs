//! A TOML text as a tree whose every value knows its place. Gives values no meaning.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use crate::{
    depth,
    document::{Context, Document, Place},
    keys,
    problem::{Invalid, quoted},
    secret::Secret,
};

/// Largest pipeline file in bytes: a thousand times a large one.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Deepest nesting of tables and lists: no connector needs more, and recursion stays far from the
/// end of the stack.
const MAX_DEPTH: usize = 32;

/// A value with its place. Holds secrets, so there is no `Debug`.
#[derive(Clone)]
pub(crate) struct Node {
    /// Bytes of the key; of an item of a list, of the item itself.
    pub(crate) key: Range<usize>,
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    /// From `{ env = "..." }` or `{ file = "..." }`.
    Secret(Secret),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date or time written without quotes.
    Time(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// Already reported.
    Broken,
}

/// Reads a file as far as TOML goes. None if it isn't TOML, which is then reported.
pub(crate) fn read(context: &mut Context<'_>) -> Option<BTreeMap<String, Node>> {
    let document = context.document.clone();
    if document.text().len() > MAX_FILE_BYTES {
        let message = format!("the file is larger than {MAX_FILE_BYTES} bytes");
        context.report(Place::default(), Invalid::new(message, "check that it's a pipeline file"));
        return None;
    }
    if let Some(offset) = depth::too_deep(document.text()) {
        let place = Place { marked: offset..offset, ..Place::default() };
        context.report(place, too_deep());
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(document.text());
    if errors.is_empty() {
        return Some(table(root.get_ref(), "", 0, context));
    }
    for error in errors {
        let span = error.span().unwrap_or_default();
        let place = Place { shown: syntax_excerpt(&document, span.start), marked: span, ..Place::default() };
        let message = format!("this isn't TOML: {}", error.message().replace('\n', " "));
        context.report(place, Invalid::new(message, "see https://toml.io for how to write it"));
    }
    None
}

/// A dotted key; a segment that isn't a bare key is quoted.
pub(crate) fn join(prefix: &str, segment: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let plain = !segment.is_empty() && segment.len() <= 64 && segment.bytes().all(bare);
    let segment = if plain { segment.to_owned() } else { quoted(segment) };
    if prefix.is_empty() { segment } else { format!("{prefix}.{segment}") }
}

/// The line of a syntax error if it can't hold a secret: a header, or one plain key of the engine's
/// own. Any other line stays unseen, since nobody knows yet what is a value in it.
fn syntax_excerpt(document: &Document, offset: usize) -> Range<usize> {
    let range = document.line_of(offset);
    let line = &document.text()[range.clone()];
    let header = line.trim_end();
    let is_header = header.starts_with('[') && !header.contains(['"', '\'', '=', '#', '{', ',', ' ']);
    let of_engine = match line.split_once('=') {
        Some((key, rest)) => keys::is_scalar(key.trim()) && !rest.contains('='),
        None => false,
    };
    if is_header || of_engine { range } else { 0..0 }
}

fn table(table: &DeTable<'_>, prefix: &str, depth: usize, context: &mut Context<'_>) -> BTreeMap<String, Node> {
    let entries = table.iter().map(|(key, value)| {
        let name = key.get_ref().to_string();
        let node = node(key.span(), value, &join(prefix, &name), depth + 1, context);
        (name, node)
    });
    entries.collect()
}

fn node(key: Range<usize>, value: &Spanned<DeValue<'_>>, path: &str, depth: usize, context: &mut Context<'_>) -> Node {
    let span = value.span();
    let found = match value.get_ref() {
        DeValue::Array(_) | DeValue::Table(_) if depth > MAX_DEPTH => {
            let place = Place { marked: key.clone(), ..Place::default() };
            context.report(place, too_deep());
            Value::Broken
        }
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => integer(number).map_or_else(
            || {
                let place = Place { key: path.to_owned(), shown: key.clone(), marked: key.clone(), value: None };
                context.report(place, Invalid::new("the number doesn't fit into 64 bits", "write a smaller one"));
                Value::Broken
            },
            Value::Integer,
        ),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| node(item.span(), item, &format!("{path}[{index}]"), depth + 1, context))
                .collect(),
        ),
        DeValue::Table(entries) => Value::Table(table(entries, path, depth, context)),
    };
    Node { key, span, value: found }
}

fn too_deep() -> Invalid {
    Invalid::new(format!("tables and lists are nested deeper than {MAX_DEPTH} levels"), "flatten them")
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

// === impl Node ===

impl Node {
    /// The key alone: for what may be secret, and for keys that nobody knows.
    pub(crate) fn key_place(&self, path: &str, document: &Document) -> Place {
        let span = if self.has_header(document) { self.span.clone() } else { self.key.clone() };
        Place { key: path.to_owned(), value: None, shown: span.clone(), marked: span }
    }

    /// Key and value, for a value that can't be secret; the key alone for tables, lists and whatever
    /// came from a variable or a file.
    pub(crate) fn value_place(&self, path: &str, document: &Document) -> Place {
        let Some(value) = self.value.show() else { return self.key_place(path, document) };
        // An item of a list stands alone, and a dotted key or a header may end up behind its value.
        let start = if self.key.start <= self.span.start { self.key.start } else { self.span.start };
        Place { key: path.to_owned(), value: Some(value), shown: start..self.span.end, marked: self.span.clone() }
    }

    /// Whether it's a table under a `[header]`, which holds nothing but names.
    fn has_header(&self, document: &Document) -> bool {
        matches!(self.value, Value::Table(_)) && document.text()[self.span.start..].starts_with('[')
    }
}

// === impl Value ===

impl Value {
    /// The word for its type in messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Secret(_) => "a text from a variable or a file",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Time(_) => "a time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Broken => "nothing",
        }
    }

    /// As it's written; none where it may be secret, and for tables and lists.
    pub(crate) fn show(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(quoted(text)),
            Self::Integer(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::Boolean(value) => Some(value.to_string()),
            Self::Time(time) => Some(time.clone()),
            Self::Secret(_) | Self::List(_) | Self::Table(_) | Self::Broken => None,
        }
    }
}
