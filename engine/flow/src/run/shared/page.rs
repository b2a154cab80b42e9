//! A page of a listing as it goes from the agent that lists to one that moves, and results as they come back,
//! in JSON. Checked where they come in.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Code, Error},
    journal::{
        codes::{from_nanos, nanos, pack, unpack},
        told::{Told, hex, unhex},
    },
    object::{Key, Kind, Object},
    run::{content_bytes, queue::Listed},
    share::Span,
};

/// Most objects of a page: what an agent that dies has in hand is a few of them.
pub(super) const MAX_OBJECTS: usize = 256;
/// Most bytes of content of a page, so that a few large objects are shared out too.
const MAX_CONTENT: u64 = 512 << 20;
/// Most bytes of a page, written: with the results half of what NATS takes as one message.
pub(super) const MAX_WRITTEN: usize = 448 * 1024;

/// Objects that are moved by one agent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) objects: Vec<Form>,
    /// They are directories whose content is done; `touched` if something may have been written into them.
    #[serde(default)]
    pub(super) folders: bool,
    #[serde(default)]
    pub(super) touched: bool,
    /// What the agent that listed them has settled itself.
    #[serde(default)]
    pub(super) settled: Vec<Told>,
}

/// What an agent did with a page, or with some of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Results {
    /// By which page they came.
    pub(super) page: u64,
    pub(super) told: Vec<Told>,
    /// The page had been another agent's.
    #[serde(default)]
    pub(super) again: bool,
    /// Of this agent, since it told results last.
    #[serde(default)]
    pub(super) retries: u64,
    #[serde(default)]
    pub(super) repaired: u64,
}

/// An object, written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Form {
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "t")]
    kind: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Nanoseconds since 1970.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    modified: Option<i64>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    checksums: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    /// The sink was found not to have it.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    absent: bool,
}

/// A page that's being filled.
#[derive(Debug, Default)]
pub(in crate::run) struct Draft {
    settled: Vec<Told>,
    objects: usize,
    content: u64,
    written: usize,
    /// The listing is flat and its keys ascend.
    counts: bool,
    /// Where this page begins, and the last key that was listed.
    after: Option<Key>,
    last: Option<Key>,
    /// The first page of an agent that took over ends here, as that of the agent before it did.
    until: Option<Key>,
}

// === impl Page ===

impl Page {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|_| wrong())
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::new(Code::INTERNAL, "share", error.to_string()))
    }
}

// === impl Results ===

impl Results {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|_| wrong())
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::new(Code::INTERNAL, "share", error.to_string()))
    }
}

fn wrong() -> Error {
    Error::new(Code::PROTOCOL, "share", "another agent sent what can't be understood: let all be of one version")
}

// === impl Form ===

impl Form {
    pub(super) fn of(object: Object, absent: bool) -> Self {
        let Object { key, kind, size, modified, version, checksums, attributes } = object;
        Self {
            key: key.as_str().to_owned(),
            kind: kind.as_str().to_owned(),
            size,
            modified: modified.and_then(nanos),
            version: version.as_deref().map(str::to_owned),
            checksums: pack(&checksums).map(|packed| hex(&packed)),
            attributes,
            absent,
        }
    }

    /// The object, and whether the sink was found not to have it.
    pub(super) fn into_object(self) -> Result<(Object, bool), Error> {
        let Self { key, kind, size, modified, version, checksums, attributes, absent } = self;
        let checksums = checksums.map(|text| unhex(&text).ok_or_else(wrong)).transpose()?;
        let object = Object {
            key: Key::parse(&key).map_err(|_| wrong())?,
            kind: Kind::parse(&kind),
            size,
            modified: modified.and_then(from_nanos),
            version: version.map(Arc::from),
            checksums: checksums.map(|packed| unpack(&packed)).unwrap_or_default(),
            attributes,
        };
        Ok((object, absent))
    }
}

// === impl Draft ===

impl Draft {
    /// `from`: the listing goes on behind this span's begin, and the first page ends where it does.
    pub(in crate::run) fn new(counts: bool, from: Option<&Span>) -> Self {
        let key = |text: &Option<String>| text.as_deref().and_then(|text| Key::parse(text).ok());
        let (after, until) = from.map_or((None, None), |span| (key(&span.after), key(&span.until)));
        Self { counts, last: after.clone(), after, until, ..Self::default() }
    }

    /// Behind which key the listing goes on.
    pub(in crate::run) fn after(&self) -> Option<Key> {
        self.after.clone().filter(|_| self.counts)
    }

    /// Whether the page has to be offered before this object.
    pub(in crate::run) fn is_closed_to(&self, key: &Key) -> bool {
        self.until.as_ref().is_some_and(|until| self.counts && key > until)
    }

    pub(in crate::run) fn is_full(&self) -> bool {
        self.objects + self.settled.len() >= MAX_OBJECTS || self.content >= MAX_CONTENT || self.written >= MAX_WRITTEN
    }

    pub(in crate::run) fn listed(&mut self, key: &Key) {
        self.last = Some(key.clone());
    }

    /// The listing turned out to be one of a tree.
    pub(in crate::run) fn forget_position(&mut self) {
        self.counts = false;
    }

    pub(in crate::run) fn add(&mut self, object: &Object) {
        self.objects += 1;
        self.content = self.content.saturating_add(content_bytes(object));
        self.written += written_bytes(object);
    }

    pub(in crate::run) fn settle(&mut self, told: Told, name: &str) {
        self.written += name.len() + 1024;
        self.settled.push(told);
    }

    /// The page, written, and what it covers; none if there's nothing on it and nothing that has to be offered.
    pub(in crate::run) fn take(&mut self, batch: &mut Vec<Listed>) -> Result<Option<(Vec<u8>, Span)>, Error> {
        let text = |key: &Option<Key>| key.as_ref().filter(|_| self.counts).map(|key| key.as_str().to_owned());
        let span = Span { after: text(&self.after), until: text(&self.last) };
        if batch.is_empty() && self.settled.is_empty() && self.until.is_none() {
            return Ok(None);
        }
        let objects = batch.drain(..).map(|listed| Form::of(listed.object, listed.absent)).collect();
        let page = Page { objects, settled: std::mem::take(&mut self.settled), ..Page::default() };
        let (counts, last) = (self.counts, self.last.clone());
        *self = Self { counts, after: last.clone(), last, ..Self::default() };
        Ok(Some((page.to_bytes()?, span)))
    }
}

/// About so many bytes an object has when it's written.
fn written_bytes(object: &Object) -> usize {
    let attributes: usize = object.attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
    // A control character becomes six.
    let escaped =
        |text: &str| text.chars().map(|it| if it.is_control() || it == '"' { 6 } else { it.len_utf8() }).sum::<usize>();
    let version = object.version.as_deref().map_or(0, str::len);
    escaped(object.key.as_str()) + version + attributes + 160
}

/// Which pages a key is on, of those in hand.
pub(super) type Pages = HashMap<Key, Vec<u64>>;
