//! The `[source]` and `[sink]` tables: their schemas and their types. Keys and the way to the network
//! belong to the engine (`x-engine`) and never come here.

use std::collections::BTreeMap;

use culvert_sdk::{config, types::Error};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{address::Addressing, signature::Version};

/// Properties of both tables.
const COMMON: &str = include_str!("config/common.json");
/// Properties that only a source has.
const SOURCE: &str = include_str!("config/source.json");
/// Properties that only a sink has.
const SINK: &str = include_str!("config/sink.json");

/// A table. Each end has the defaults of what only the other can say.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The engine derives it from the region where the table has none.
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
    /// Empty, or ends with a slash.
    #[serde(default)]
    pub(crate) prefix: String,
    pub(crate) addressing: Option<Addressing>,
    #[serde(default)]
    pub(crate) signature_version: Version,
    /// In bits per second.
    pub(crate) traffic_limit: Option<u32>,
    /// 1 to 16.
    #[serde(default = "parallel_listing")]
    pub(crate) parallel_listing: u8,
    #[serde(default)]
    pub(crate) symlinks: Symlinks,
    pub(crate) storage_class: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) acl: Option<String>,
    pub(crate) encryption: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What becomes of a bucket's symlinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Symlinks {
    #[default]
    Keep,
    Follow,
}

pub(crate) fn source_schema() -> String {
    schema("OSS as source", "Reads the objects of a bucket of Alibaba Cloud OSS.", &[COMMON, SOURCE])
}

pub(crate) fn sink_schema() -> String {
    schema("OSS as sink", "Puts objects into a bucket of Alibaba Cloud OSS.", &[COMMON, SINK])
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
        "required": ["region", "bucket"],
        "properties": properties,
        "x-credentials": "alibaba",
    })
    .to_string()
}

fn parallel_listing() -> u8 {
    4
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn defaults_are_those_of_the_schema() {
        let config = parse(r#"{"endpoint": "http://a", "region": "r", "bucket": "b"}"#).unwrap();
        let schema: Value = serde_json::from_str(&source_schema()).unwrap();
        let default = |name: &str| schema["properties"][name]["default"].clone();
        assert_eq!(default("prefix"), config.prefix);
        assert_eq!(default("parallel_listing"), config.parallel_listing);
        assert_eq!((default("symlinks"), config.symlinks), ("keep".into(), Symlinks::Keep));
        assert_eq!((default("signature_version"), config.signature_version), ("v4".into(), Version::V4));
    }

    #[test]
    fn every_property_is_explained_and_secrets_go_to_the_engine() {
        for (text, count) in [(source_schema(), 22), (sink_schema(), 28)] {
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
