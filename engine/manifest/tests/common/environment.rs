//! What the tests share: an environment of their own and two connectors' schemas. Touches no real
//! variable and no file.

#![allow(unreachable_pub, dead_code, reason = "each test file compiles its own copy and uses a part of it")]

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use culvert_manifest::Environment;
use serde_json::{Value, json};

/// What must never be shown.
pub const SECRET: &str = "s3cr3t-value";

/// 2026-01-01T00:00:00Z.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// Variables and files by name.
#[derive(Default)]
pub struct TestEnvironment {
    pub variables: BTreeMap<&'static str, OsString>,
    pub files: BTreeMap<&'static str, &'static str>,
}

impl TestEnvironment {
    pub fn new() -> Self {
        let variables = [
            ("SECRET", SECRET),
            ("NUMBER", "12"),
            ("RATE", "3 GiB"),
            ("FLAG", "true"),
            ("CULVERT_ARCHIVE", "/srv/archive"),
        ];
        Self {
            variables: variables.map(|(name, value)| (name, value.into())).into(),
            files: [("/run/secrets/key", "s3cr3t-value\r\n"), ("/run/rate", "3 MiB/s\n")].into(),
        }
    }
}

impl Environment for TestEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let text = path.to_str().and_then(|path| self.files.get(path));
        text.map(|text| (*text).to_owned()).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn now(&self) -> SystemTime {
        now()
    }
}

/// The schema of a connector's table; none for a role that it hasn't.
pub fn schema(connector: &str, role: &str) -> Option<Value> {
    let text = json!({ "type": "string" });
    let folder = json!({ "type": "string", "x-grant": "folder", "description": "The folder." });
    let properties = match (connector, role) {
        ("local", "source") => json!({
            "path": { "type": "string", "minLength": 1, "x-grant": "folder" },
            "symlinks": { "enum": ["keep", "follow"], "default": "keep" },
        }),
        ("local", "sink") => json!({
            "path": folder,
            "fsync": { "type": "boolean", "default": true },
            "owner": { "type": "boolean", "default": false },
        }),
        ("store", "sink") => {
            return Some(json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["endpoint", "bucket", "access_key"],
                "properties": {
                    "endpoint": { "type": "string", "format": "uri", "x-grant": "endpoint" },
                    "bucket": { "type": "string", "pattern": "^[a-z0-9-]+$" },
                    "access_key": { "type": "string", "x-secret": true, "minLength": 20 },
                    "password": { "$ref": "#/$defs/password" },
                    "retries": { "type": "integer", "minimum": 0 },
                    "tls": { "type": "boolean" },
                    "folders": { "type": "array", "items": folder },
                    "proxy": {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": { "user": text, "token": { "type": "string", "x-secret": true } },
                    },
                },
                "$defs": { "password": { "type": "string", "x-secret": true } },
            }));
        }
        _ => return None,
    };
    Some(json!({ "type": "object", "additionalProperties": false, "required": ["path"], "properties": properties }))
}
