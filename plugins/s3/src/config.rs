//! The `[source]` and `[sink]` tables: their schemas and their types. Keys and the way to the network
//! belong to the engine (`x-engine`) and never come here.

use std::collections::BTreeMap;

use culvert_sdk::{config, types::Error};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Properties of both tables.
const COMMON: &str = include_str!("config/common.json");
/// Properties that only a sink has.
const SINK: &str = include_str!("config/sink.json");

/// A table. A source has the defaults of what only a sink can say: its schema doesn't know them.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    #[serde(default = "default_region")]
    pub(crate) region: String,
    /// Empty, or ends with a slash.
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) force_path_style: bool,
    pub(crate) storage_class: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) acl: Option<String>,
    pub(crate) encryption: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub(crate) conditional_writes: bool,
    #[serde(default)]
    pub(crate) directory_markers: bool,
    #[serde(default = "yes")]
    pub(crate) etag_is_md5: bool,
    #[serde(default = "yes")]
    pub(crate) ordered_listing: bool,
    /// 1 to 16.
    #[serde(default = "parallel_listing")]
    pub(crate) parallel_listing: u8,
}

pub(crate) fn source_schema() -> String {
    schema("S3 as source", "Reads the objects of a bucket of S3 or of a store that speaks its protocol.", &[COMMON])
}

pub(crate) fn sink_schema() -> String {
    schema("S3 as sink", "Puts objects into a bucket of S3 or of a store that speaks its protocol.", &[COMMON, SINK])
}

/// # Errors
/// `invalid-config`.
pub(crate) fn parse(json: &str) -> Result<Config, Error> {
    config::parse(json)
}

fn schema(title: &str, description: &str, parts: &[&str]) -> String {
    // The parts are this crate's own; a test parses them.
    let properties: Map<String, Value> =
        parts.iter().filter_map(|part| serde_json::from_str::<Map<String, Value>>(part).ok()).flatten().collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "required": ["endpoint", "bucket"],
        "properties": properties,
    })
    .to_string()
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn parallel_listing() -> u8 {
    4
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn defaults_are_those_of_the_schema() {
        let config = parse(r#"{"endpoint": "http://a", "bucket": "b"}"#).unwrap();
        let schema: Value = serde_json::from_str(&sink_schema()).unwrap();
        let default = |name: &str| schema["properties"][name]["default"].clone();
        assert_eq!(default("region"), config.region);
        assert_eq!(default("prefix"), config.prefix);
        assert_eq!(default("force_path_style"), config.force_path_style);
        assert_eq!(default("conditional_writes"), config.conditional_writes);
        assert_eq!(default("directory_markers"), config.directory_markers);
        assert_eq!(default("etag_is_md5"), config.etag_is_md5);
        assert_eq!(default("ordered_listing"), config.ordered_listing);
        assert_eq!(default("parallel_listing"), config.parallel_listing);
    }

    #[test]
    fn every_property_is_explained_and_secrets_go_to_the_engine() {
        for (text, count) in [(source_schema(), 19), (sink_schema(), 28)] {
            let schema: Value = serde_json::from_str(&text).unwrap();
            let properties = schema["properties"].as_object().unwrap();
            assert_eq!(properties.len(), count);
            for (name, property) in properties {
                assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
                assert!(property.get("x-secret").is_none() || property["x-engine"].is_string(), "{name}");
            }
        }
    }
}
