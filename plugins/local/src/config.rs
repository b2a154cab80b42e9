//! The `[source]` and `[sink]` tables: their schemas and their types. Doesn't look whether the
//! folder is there: that's for `check`.

use culvert_sdk::{config, error, types::Error};
use serde::Deserialize;

/// Schema of the `[source]` table.
pub(crate) const SOURCE_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Local folder as source",
  "description": "Reads the files, folders and symbolic links below a folder of this machine.",
  "type": "object",
  "additionalProperties": false,
  "required": ["path"],
  "properties": {
    "path": {
      "title": "Folder",
      "description": "The folder to read; nothing outside it can be reached. Relative paths start where the engine was started.",
      "type": "string",
      "minLength": 1,
      "x-grant": "folder",
      "examples": ["/mnt/nas/archive"]
    },
    "symlinks": {
      "title": "Symbolic links",
      "description": "keep: a link moves as a link. follow: a link to a file below the folder moves as that file; a link that leads out of the folder or nowhere is reported as unreadable; a link to a folder moves as a link, so that no listing runs in a circle.",
      "type": "string",
      "enum": ["keep", "follow"],
      "default": "keep"
    }
  }
}"#;

/// Schema of the `[sink]` table.
pub(crate) const SINK_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Local folder as sink",
  "description": "Writes files, folders and symbolic links below a folder of this machine. A file appears under its name when it is whole.",
  "type": "object",
  "additionalProperties": false,
  "required": ["path"],
  "properties": {
    "path": {
      "title": "Folder",
      "description": "The folder to write; nothing outside it can be reached. Relative paths start where the engine was started.",
      "type": "string",
      "minLength": 1,
      "x-grant": "folder",
      "examples": ["/srv/archive"]
    },
    "fsync": {
      "title": "Sync to the device",
      "description": "Whether each file and its folder are synced to the device before the file counts as moved. Without it a power cut can lose files that were reported as moved.",
      "type": "boolean",
      "default": true
    },
    "owner": {
      "title": "Keep the owner",
      "description": "Whether files get the user and group ids that they have at the source. Needs the privilege to give files away (root, or CAP_CHOWN).",
      "type": "boolean",
      "default": false
    }
  }
}"#;

/// What to do with a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Symlinks {
    #[default]
    Keep,
    Follow,
}

/// The `[source]` table.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceConfig {
    /// As the user wrote it, for messages: the folder itself comes as a grant.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) symlinks: Symlinks,
}

/// The `[sink]` table.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SinkConfig {
    /// As the user wrote it, for messages: the folder itself comes as a grant.
    pub(crate) path: String,
    #[serde(default = "yes")]
    pub(crate) fsync: bool,
    #[serde(default)]
    pub(crate) owner: bool,
}

// === impl SinkConfig ===

impl SinkConfig {
    /// How the sink's folder is read: as it was written, links as links.
    pub(crate) fn read_back(&self) -> SourceConfig {
        SourceConfig { path: self.path.clone(), symlinks: Symlinks::Keep }
    }
}

/// # Errors
/// `invalid-config`.
pub(crate) fn source(json: &str) -> Result<SourceConfig, Error> {
    let config: SourceConfig = config::parse(json)?;
    check_path(&config.path)?;
    Ok(config)
}

/// # Errors
/// `invalid-config`.
pub(crate) fn sink(json: &str) -> Result<SinkConfig, Error> {
    let config: SinkConfig = config::parse(json)?;
    check_path(&config.path)?;
    Ok(config)
}

fn check_path(path: &str) -> Result<(), Error> {
    if path.is_empty() { Err(error::invalid_config("path: is empty, name a folder")) } else { Ok(()) }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::Value;

    use super::*;

    #[test]
    fn defaults_are_those_of_the_schema() {
        let expected = SourceConfig { path: "/a".into(), symlinks: Symlinks::Keep };
        assert_eq!(source(r#"{"path": "/a"}"#), Ok(expected));
        let expected = SinkConfig { path: "/a".into(), fsync: true, owner: false };
        assert_eq!(sink(r#"{"path": "/a"}"#), Ok(expected));

        let schema: Value = serde_json::from_str(SOURCE_SCHEMA).unwrap();
        assert_eq!(schema["properties"]["symlinks"]["default"], "keep");
        let schema: Value = serde_json::from_str(SINK_SCHEMA).unwrap();
        assert_eq!(schema["properties"]["fsync"]["default"], true);
        assert_eq!(schema["properties"]["owner"]["default"], false);
    }

    #[test]
    fn every_property_is_explained_and_the_folder_is_a_grant() {
        for schema in [SOURCE_SCHEMA, SINK_SCHEMA] {
            let schema: Value = serde_json::from_str(schema).unwrap();
            assert_eq!(schema["additionalProperties"], false);
            assert_eq!(schema["properties"]["path"]["x-grant"], "folder");
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(source(r#"{"path": ""}"#).unwrap_err().message, "path: is empty, name a folder");
        assert_eq!(source("{}").unwrap_err().message, "path: is missing");
        let error = source(r#"{"path": "/a", "symlinks": "copy"}"#).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("invalid-config", "symlinks: expected one of `keep`, `follow`")
        );
        assert_eq!(sink(r#"{"path": "/a", "fsync": "no"}"#).unwrap_err().message, "fsync: expected a boolean");
    }
}
