//! A store in memory that all instances share, and the crime that it commits.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::SystemTime,
};

use culvert_conformance::{Description, Owner, Subject};
use culvert_flow::{
    error::{Code, Error},
    hash::Hasher,
    object::{Algorithm, Capabilities, Checksums, Key, Kind, Object},
};
use serde_json::json;

use crate::{sink::MemorySink, source::MemorySource};

/// What is under a key.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) version: u64,
    /// Computed once.
    pub(crate) checksums: Checksums,
}

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) owner: Owner,
    pub(crate) key: String,
    pub(crate) parts: BTreeMap<u32, Vec<u8>>,
    /// In the order in which they came.
    pub(crate) arrived: Vec<Vec<u8>>,
    /// The instance that began it.
    pub(crate) instance: u64,
    /// A part is being written.
    pub(crate) busy: bool,
}

/// What all instances share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) objects: RefCell<BTreeMap<String, Stored>>,
    pub(crate) uploads: RefCell<BTreeMap<String, Upload>>,
    /// What failed puts left, for crimes.
    pub(crate) left: Cell<u64>,
    pub(crate) versions: Cell<u64>,
    pub(crate) instances: Cell<u64>,
    /// A listing was dropped before its end.
    pub(crate) broken_listing: Cell<bool>,
    pub(crate) listings: Cell<u64>,
    pub(crate) puts: RefCell<Vec<String>>,
}

/// The subject.
pub(crate) struct Memory {
    description: Description,
    capabilities: Capabilities,
    pub(crate) shared: Rc<Shared>,
    pub(crate) crime: &'static str,
}

const CAPABILITIES: [&str; 13] = [
    "range-read",
    "ordered-listing",
    "parts",
    "conditional-put",
    "read-back",
    "directories",
    "symlinks",
    "modified",
    "list-parts",
    "read-batch",
    "put-batch",
    "checksum:crc64-nvme",
    "checksum:crc32c",
];

pub(crate) fn checksums(bytes: &[u8]) -> Checksums {
    let mut hasher = Hasher::new([Algorithm::Crc64Nvme, Algorithm::Crc32c]);
    hasher.update(bytes);
    hasher.finish()
}

/// The same with other bits.
pub(crate) fn flipped(mut sums: Checksums) -> Checksums {
    sums.values_mut().flatten().for_each(|byte| *byte ^= 1);
    sums
}

pub(crate) fn error(code: Code, operation: &'static str) -> Error {
    Error::new(code, operation, "the store in memory says so")
}

// === impl Memory ===

impl Memory {
    pub(crate) fn new(crime: &'static str) -> Self {
        let property = json!({"type": "string", "title": "Path", "description": "Where it is."});
        let mut schema = json!({"type": "object", "additionalProperties": false, "properties": {"path": property}});
        if crime == "open-schema" {
            schema["additionalProperties"] = json!(true);
        }
        let words = CAPABILITIES.iter().map(|word| (*word).to_owned());
        let capabilities = Capabilities::new(words.clone());
        let told = words.filter(|word| crime != "parts-without-parts" || word != "parts");
        let description = Description {
            name: if crime == "bad-name" { "Memory Store".to_owned() } else { "memory".to_owned() },
            version: "0.1.0".to_owned(),
            digest: "00".repeat(32),
            source_schema: Some(schema.clone()),
            sink_schema: Some(schema),
            capabilities: Capabilities::new(told),
        };
        Self { description, capabilities, shared: Rc::default(), crime }
    }

    fn instance(&self) -> u64 {
        self.shared.instances.set(self.shared.instances.get() + 1);
        self.shared.instances.get()
    }
}

impl Subject for Memory {
    type Source = MemorySource;
    type Sink = MemorySink;

    fn description(&self) -> &Description {
        &self.description
    }

    fn source(&self) -> Option<&Capabilities> {
        Some(&self.capabilities)
    }

    fn sink(&self) -> Option<&Capabilities> {
        Some(&self.capabilities)
    }

    fn has_denied(&self) -> bool {
        true
    }

    async fn open_source(&self) -> Result<MemorySource, Error> {
        Ok(MemorySource::new(Rc::clone(&self.shared), self.crime))
    }

    async fn open_sink(&self, owner: Owner) -> Result<MemorySink, Error> {
        Ok(MemorySink { shared: Rc::clone(&self.shared), crime: self.crime, owner, instance: self.instance() })
    }

    async fn open_read_back(&self) -> Result<MemorySource, Error> {
        self.open_source().await
    }

    async fn check(&self) -> Result<(), Error> {
        if self.crime == "fails-check" { Err(error(Code::PERMISSION_DENIED, "check")) } else { Ok(()) }
    }

    async fn check_denied(&self) -> Vec<Result<(), Error>> {
        match self.crime {
            "denied-is-fine" => vec![Ok(())],
            "denied-is-io" => vec![Err(error(Code::IO, "check"))],
            _ => vec![Err(error(Code::UNAUTHENTICATED, "check"))],
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Makes something visible.
    pub(crate) fn store(&self, key: &str, object: &Object, bytes: Vec<u8>) -> Stored {
        self.versions.set(self.versions.get() + 1);
        let stored = Stored {
            kind: object.kind.clone(),
            checksums: if object.kind == Kind::File { checksums(&bytes) } else { Checksums::new() },
            bytes,
            modified: object.modified,
            attributes: object.attributes.clone(),
            version: self.versions.get(),
        };
        self.objects.borrow_mut().insert(key.to_owned(), stored.clone());
        stored
    }

    pub(crate) fn find(&self, key: &str) -> Option<Stored> {
        self.objects.borrow().get(key).cloned()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.objects.borrow().contains_key(key)
    }
}

// === impl Stored ===

impl Stored {
    pub(crate) fn object(&self, key: &Key) -> Object {
        Object {
            key: key.clone(),
            kind: self.kind.clone(),
            size: Some(self.bytes.len() as u64),
            modified: self.modified,
            version: Some(format!("v{}", self.version).into()),
            checksums: self.checksums.clone(),
            attributes: self.attributes.clone(),
        }
    }
}
