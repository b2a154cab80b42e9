//! The `[source]` table: its schema, its type, and what a schema can't say. Reaches no server.

use culvert_sdk::prelude::*;
use serde::Deserialize;

/// Schema of the `[source]` table.
pub(crate) const SCHEMA: &str = include_str!("config.json");

/// The `[source]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) index: Option<String>,
    pub(crate) urls: Option<Vec<String>>,
    pub(crate) list: Option<String>,
    pub(crate) list_url: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) base: Option<String>,
    #[serde(default)]
    pub(crate) servers: Vec<String>,
    pub(crate) authorization: Option<String>,
}

/// Where the objects' names come from.
#[derive(Debug)]
pub(crate) enum Names {
    Index(String),
    /// Entries, one a line.
    Text(String),
    Url(String),
}

// === impl Config ===

impl Config {
    /// # Errors
    /// `invalid-config`: none or several of the four, or something that doesn't go with it.
    pub(crate) fn names(&self) -> Result<Names, Error> {
        let Self { index, urls, list, list_url, .. } = self;
        let names = match (index, urls, list, list_url) {
            (Some(index), None, None, None) => Names::Index(index.clone()),
            (None, Some(urls), None, None) => Names::Text(urls.join("\n")),
            (None, None, Some(list), None) => Names::Text(list.clone()),
            (None, None, None, Some(url)) => Names::Url(url.clone()),
            (None, None, None, None) => {
                return Err(error::invalid_config("index: is missing; write one of index, urls, list and list_url"));
            }
            _ => {
                return Err(error::invalid_config(
                    "index: is one of several; write one of index, urls, list, list_url",
                ));
            }
        };
        if self.column.is_some() && (self.index.is_some() || self.urls.is_some()) {
            return Err(error::invalid_config("column: goes with list or list_url"));
        }
        if self.base.is_some() && self.index.is_some() {
            return Err(error::invalid_config("base: goes with a list; an index page is its own"));
        }
        let server = self.servers.is_empty() && self.base.is_none() && self.index.is_none() && self.list_url.is_none();
        if server {
            let what = "servers: is missing; name the servers that the URLs lead to, https://example.com for instance";
            return Err(error::invalid_config(what));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn names(table: &str) -> Result<Names, String> {
        culvert_sdk::config::parse::<Config>(table).and_then(|it| it.names()).map_err(|error| error.message)
    }

    #[test]
    fn one_place_of_names_is_needed() {
        assert!(matches!(names(r#"{"index": "http://a/"}"#), Ok(Names::Index(_))));
        let text = names(r#"{"urls": ["http://a/1", "http://a/2"], "servers": ["http://a"]}"#);
        assert!(matches!(text, Ok(Names::Text(text)) if text == "http://a/1\nhttp://a/2"));
        assert!(matches!(names(r#"{"list_url": "http://a/l", "column": "url"}"#), Ok(Names::Url(_))));
        for (table, key) in [
            ("{}", "index: is missing"),
            (r#"{"index": "http://a/", "list_url": "http://a/l"}"#, "index: is one of several"),
            (r#"{"index": "http://a/", "column": "1"}"#, "column: "),
            (r#"{"index": "http://a/", "base": "http://a/"}"#, "base: "),
            (r#"{"urls": ["http://a/1"]}"#, "servers: is missing"),
        ] {
            assert!(names(table).unwrap_err().starts_with(key), "{table}");
        }
    }

    #[test]
    fn every_property_is_explained() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
        }
    }
}
