//! One table of a file, read key by key: unknown keys refused, defaults filled in, every problem
//! reported at its place. A problem never ends the reading.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use culvert_flow::rules::{ByteRate, ByteSize, Moment};
use jiff::tz::TimeZone;

use crate::{
    document::{Context, Place},
    item::{self, MAX_ITEMS},
    keys::{self, Key},
    kind::Kind,
    problem::Invalid,
    reference,
    tree::{Node, Value, join},
};

/// One item of a list.
pub(crate) struct Listed<T> {
    pub(crate) value: T,
    /// As it may be shown.
    pub(crate) written: String,
}

/// A table whose keys are known.
pub(crate) struct Section {
    name: &'static str,
    /// Dotted; empty for the file itself.
    path: String,
    entries: BTreeMap<String, Node>,
}

// === impl Section ===

impl Section {
    /// The section of a table that isn't there: everything is default.
    pub(crate) fn absent(name: &'static str) -> Self {
        Self { name, path: name.to_owned(), entries: BTreeMap::new() }
    }

    /// Takes a table's entries, once its unknown keys have been reported. `path` is where it stands,
    /// `name` says which keys it has.
    pub(crate) fn open(node: Node, name: &'static str, path: &str, context: &mut Context<'_>) -> Self {
        let section = Self::open_with_own_keys(node, name, path, context);
        section.refuse_unknown_keys(&[], context);
        section
    }

    /// The same for a table that also has keys of its own, which [`Self::rest`] gives.
    pub(crate) fn open_with_own_keys(node: Node, name: &'static str, path: &str, context: &mut Context<'_>) -> Self {
        let place = node.key_place(path, &context.document);
        let entries = match node.value {
            Value::Table(entries) => entries,
            Value::Broken => BTreeMap::new(),
            Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
                context.report(
                    place,
                    Invalid::new("expected one table, found a list of tables", format!("write [{path}] once")),
                );
                BTreeMap::new()
            }
            other => {
                let message = format!("expected a table, found {}", other.type_name());
                context.report(
                    place,
                    Invalid::new(message, format!("write [{path}] on a line of its own, then its keys")),
                );
                BTreeMap::new()
            }
        };
        Self { name, path: path.to_owned(), entries }
    }

    /// The file itself; `sections` are the tables that it may have.
    pub(crate) fn root(
        entries: BTreeMap<String, Node>,
        name: &'static str,
        sections: &[&str],
        context: &mut Context<'_>,
    ) -> Self {
        let section = Self { name, path: String::new(), entries };
        section.refuse_unknown_keys(sections, context);
        section
    }

    /// A value with its place, for whoever reads it by other rules; none if it isn't there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        self.entries.remove(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Where a value is; none if it isn't there.
    pub(crate) fn place(&self, name: &str, context: &Context<'_>) -> Option<Place> {
        Some(self.entries.get(name)?.value_place(&join(&self.path, name), &context.document))
    }

    /// How a value is written, as it may be shown; none if it isn't there.
    pub(crate) fn written(&self, name: &str) -> Option<String> {
        self.entries.get(name).map(|node| written(&node.value))
    }

    /// Every entry that hasn't been read.
    pub(crate) fn rest(self) -> BTreeMap<String, Node> {
        self.entries
    }

    /// A name or a text; none if it isn't there or can't be taken.
    pub(crate) fn word(&mut self, name: &str, context: &mut Context<'_>) -> Option<String> {
        self.read(name, context, |kind, value, _| kind.word(value))
    }

    /// The index of the chosen word.
    pub(crate) fn choice(&mut self, name: &str, context: &mut Context<'_>) -> Option<usize> {
        self.read(name, context, |kind, value, _| kind.choice(value))
    }

    pub(crate) fn count(&mut self, name: &str, context: &mut Context<'_>) -> Option<u64> {
        self.read(name, context, |kind, value, _| kind.count(value))
    }

    pub(crate) fn size(&mut self, name: &str, context: &mut Context<'_>) -> Option<ByteSize> {
        self.read(name, context, |kind, value, _| kind.size(value))
    }

    pub(crate) fn rate(&mut self, name: &str, context: &mut Context<'_>) -> Option<ByteRate> {
        self.read(name, context, |kind, value, _| kind.rate(value))
    }

    pub(crate) fn duration(&mut self, name: &str, context: &mut Context<'_>) -> Option<Duration> {
        self.read(name, context, |kind, value, _| kind.duration(value))
    }

    pub(crate) fn time(&mut self, name: &str, context: &mut Context<'_>) -> Option<Moment> {
        self.read(name, context, |kind, value, now| kind.time(value, now))
    }

    pub(crate) fn time_zone(&mut self, name: &str, context: &mut Context<'_>) -> Option<TimeZone> {
        self.read(name, context, |kind, value, _| kind.time_zone(value))
    }

    pub(crate) fn boolean(&mut self, name: &str, context: &mut Context<'_>) -> Option<bool> {
        self.read(name, context, |kind, value, _| kind.boolean(value))
    }

    /// The start of keys.
    pub(crate) fn prefix(&mut self, name: &str, context: &mut Context<'_>) -> Option<String> {
        self.read(name, context, |_, value, _| item::prefix(value))
    }

    /// The items of a list that can be taken; none if it isn't there.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        context: &mut Context<'_>,
        parse: fn(&Value) -> Result<T, Invalid>,
    ) -> Vec<Listed<T>> {
        let path = join(&self.path, name);
        let key = keys::of(self.name).find(|key| key.name == name);
        let Some((key, node)) = key.zip(self.take(name)) else { return Vec::new() };
        let node = reference::resolve(node, &path, context);
        let place = node.value_place(&path, &context.document);
        let items = match node.value {
            Value::List(items) if items.len() <= MAX_ITEMS => items,
            Value::List(_) => {
                let fix = format!("write at most {MAX_ITEMS} items");
                context.report(place, Invalid::new("the list is too long", fix));
                return Vec::new();
            }
            Value::Broken => return Vec::new(),
            other => {
                context.report(place, key.kind.not_a_list(&other));
                return Vec::new();
            }
        };
        let items = items.into_iter().enumerate().filter_map(|(index, item)| {
            let path = format!("{path}[{index}]");
            let item = reference::resolve(item, &path, context);
            let place = item.value_place(&path, &context.document);
            let value = settle(parse(&item.value), key.kind, &item.value, place, context)?;
            Some(Listed { value, written: written(&item.value) })
        });
        items.collect()
    }

    fn read<T>(
        &mut self,
        name: &str,
        context: &mut Context<'_>,
        parse: impl Fn(Kind, &Value, SystemTime) -> Result<T, Invalid>,
    ) -> Option<T> {
        let key = keys::of(self.name).find(|key| key.name == name)?;
        let now = context.now;
        let Some(node) = self.take(name) else {
            return parse(key.kind, &key.kind.default_value(key.default?), now).ok();
        };
        let path = join(&self.path, name);
        let node = reference::resolve(node, &path, context);
        let place = node.value_place(&path, &context.document);
        settle(parse(key.kind, &node.value, now), key.kind, &node.value, place, context)
    }

    fn refuse_unknown_keys(&self, sections: &[&str], context: &mut Context<'_>) {
        let mut known: Vec<&str> = keys::of(self.name).map(|key| key.name).chain(sections.iter().copied()).collect();
        // `tunnel` is a key and a section.
        known.dedup();
        for (name, node) in &self.entries {
            if known.contains(&name.as_str()) {
                continue;
            }
            let place = node.key_place(&join(&self.path, name), &context.document);
            context.report(place, Invalid::new("unknown key", self.fix_for_unknown(name, &known)));
        }
    }

    fn fix_for_unknown(&self, name: &str, known: &[&str]) -> String {
        if let Some(nearest) = keys::nearest(name, known.iter().copied()) {
            return format!("write \"{nearest}\"");
        }
        // Another file's keys aren't meant.
        let here = |key: &&Key| key.section != self.name && !key.section.ends_with(keys::ENTRY);
        let is_pipeline = self.name == keys::ROOT || !self.path.is_empty();
        let elsewhere = keys::KEYS.iter().filter(here).find(|key| is_pipeline && key.name == name);
        match elsewhere {
            Some(key) if key.section != keys::ROOT => format!("write it under [{}]", key.section),
            Some(_) => "write it above the first [table]".to_owned(),
            None => format!("remove it; the keys here are {}", known.join(", ")),
        }
    }
}

/// A name or a text that stands where something else could.
pub(crate) fn word(node: &Node, kind: Kind, path: &str, context: &mut Context<'_>) -> Option<String> {
    let place = node.value_place(path, &context.document);
    settle(kind.word(&node.value), kind, &node.value, place, context)
}

fn written(value: &Value) -> String {
    value.show().unwrap_or_else(|| "(from a variable or a file)".to_owned())
}

/// The value, or none once its problem is reported. What a variable or a file gave isn't quoted.
fn settle<T>(
    parsed: Result<T, Invalid>,
    kind: Kind,
    value: &Value,
    place: Place,
    context: &mut Context<'_>,
) -> Option<T> {
    let invalid = match (parsed, value) {
        (Ok(value), _) => return Some(value),
        (Err(_), Value::Broken) => return None,
        (Err(_), Value::Secret(_)) => {
            let message = "what the variable or the file gives can't be taken";
            Invalid::new(message, format!("there, {}", kind.fix()))
        }
        (Err(invalid), _) => invalid,
    };
    context.report(place, invalid);
    None
}

/// A key that has to be there isn't.
pub(crate) fn missing(path: &str, example: &str, header: Option<&Node>, context: &mut Context<'_>) {
    let place = match header {
        Some(node) => Place { key: path.to_owned(), ..node.key_place(path, &context.document) },
        None => Place { key: path.to_owned(), ..Place::default() },
    };
    let name = path.rsplit('.').next().unwrap_or(path);
    context.report(place, Invalid::new("the key is missing", format!("write {name} = {example}")));
}
