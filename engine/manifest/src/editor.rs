//! The JSON Schema of a pipeline file, for editors that complete and check TOML. Not used to read a
//! file: its messages have no places and know no units.

use serde_json::{Map, Value as Json, json};

use crate::{
    endpoint::Role,
    item::{Item, MAX_ITEMS},
    keys::{self, Key, LIMITS, REPORT, ROOT, SCHEDULE, SELECT, SINK, SOURCE, TRANSFER, TRANSFORM, TUNNEL},
    kind::{Kind, MAX_NAME_BYTES, MAX_TEXT_BYTES},
    pipeline::MAX_TRANSFORMS,
};

/// A connector and what its `describe` gave.
#[derive(Debug, Clone, Copy)]
pub struct ConnectorSchemas<'a> {
    pub name: &'a str,
    /// Of the `[source]` table; none if it can't be a source.
    pub source: Option<&'a Json>,
    /// Of the `[sink]` table; none if it can't be a sink.
    pub sink: Option<&'a Json>,
    /// Of a `[[transform]]` table; none if it can't be a transform.
    pub transform: Option<&'a Json>,
}

/// The JSON Schema (draft 2020-12) of a pipeline file: the engine's own keys, and for each of these
/// connectors its own. The table of any other connector may hold anything.
pub fn pipeline_schema(connectors: &[ConnectorSchemas<'_>]) -> Json {
    let mut root = table(ROOT);
    let properties = &mut root["properties"];
    let named = properties[TUNNEL].take();
    properties[TUNNEL] = json!({ "anyOf": [named, table(TUNNEL)], "description": "What everything goes through." });
    properties[SOURCE] = endpoint(SOURCE, Role::Source, connectors);
    properties[SINK] = endpoint(SINK, Role::Sink, connectors);
    let mut each = endpoint(TRANSFORM, Role::Transform, connectors);
    each["required"] = json!(["connector"]);
    properties[TRANSFORM] = json!({ "type": "array", "maxItems": MAX_TRANSFORMS, "items": each });
    for section in [SELECT, TRANSFER, SCHEDULE, REPORT, LIMITS] {
        properties[section] = table(section);
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Culvert pipeline");
    root["required"] = json!(["name", TUNNEL, SOURCE, SINK]);
    root
}

fn table(section: &'static str) -> Json {
    let properties: Map<_, _> = keys::of(section).map(|key| (key.name.to_owned(), property(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(key: &Key) -> Json {
    let described = format!("{} Type: {}; unit: {}.", key.about, key.kind.form(), key.kind.unit());
    let mut schema = json!({ "anyOf": [value(key.kind), reference()], "description": described });
    // Examples are written as TOML, which for these few types is JSON too, quotes aside.
    if let Ok(example) = serde_json::from_str::<Json>(&key.example.replace('\'', "\"")) {
        schema["examples"] = json!([example]);
    }
    if let Some(default) = key.default {
        let bare = serde_json::from_str(default).ok().filter(|_| key.kind.is_bare());
        schema["default"] = bare.unwrap_or_else(|| default.into());
    }
    schema
}

fn value(kind: Kind) -> Json {
    match kind {
        Kind::Name => json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": MAX_NAME_BYTES }),
        Kind::Digest => json!({ "type": "string", "pattern": "^(sha256:)?[0-9a-f]{64}$" }),
        Kind::Text | Kind::Connector => json!({ "type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::List(item) => {
            let item = match item {
                Item::Glob | Item::Regex | Item::Hours => json!({ "type": "string", "minLength": 1 }),
                Item::Prefix => value(Kind::Prefix),
                Item::Window => {
                    let clock = "([01][0-9]|2[0-3]):[0-5][0-9]";
                    json!({ "type": "string", "pattern": format!("^{clock} *- *({clock}|24:00)$") })
                }
            };
            json!({ "type": "array", "maxItems": MAX_ITEMS, "items": { "anyOf": [item, reference()] } })
        }
        Kind::Prefix => json!({ "type": "string", "pattern": "^[^/]" }),
        Kind::TimeZone => json!({ "type": "string", "minLength": 1 }),
        // TOML also has times without quotes, which tools hand to a schema as strings.
        Kind::Time => {
            json!({ "type": "string", "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+|[0-9.]+ *(ms|s|m|h|d))$" })
        }
        Kind::Size { .. } => json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *([KMGT]iB|[kMGT]?B)$" }),
        Kind::Rate => {
            json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *([KMGT]iB|[kMGT]?B|[KMGT]ibit|[kMGT]?bit)/s$" })
        }
        Kind::Count { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Duration { .. } => json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *(ms|s|m|h|d)$" }),
    }
}

/// `{ env = "..." }` or `{ file = "..." }`.
fn reference() -> Json {
    json!({
        "type": "object",
        "properties": {
            "env": { "type": "string", "description": "The name of an environment variable." },
            "file": { "type": "string", "description": "The path of a file." },
        },
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}

fn endpoint(section: &'static str, role: Role, connectors: &[ConnectorSchemas<'_>]) -> Json {
    let branches: Vec<Json> = connectors.iter().filter_map(|connector| branch(section, role, connector)).collect();
    let mut schema = table(section);
    schema["additionalProperties"] = true.into();
    if role != Role::Transform {
        schema["anyOf"] = json!([{ "required": ["connector"] }, { "required": ["address"] }]);
    }
    // An empty list isn't a schema.
    if !branches.is_empty() {
        schema["allOf"] = branches.into();
    }
    schema
}

/// Where the connector is named, its own schema holds.
fn branch(section: &'static str, role: Role, connector: &ConnectorSchemas<'_>) -> Option<Json> {
    let own = match role {
        Role::Source => connector.source,
        Role::Sink => connector.sink,
        Role::Transform => connector.transform,
    };
    let mut own = own?.as_object()?.clone();
    let mut properties = own.get("properties").and_then(Json::as_object).cloned().unwrap_or_default();
    for schema in properties.values_mut() {
        let original = schema.take();
        let described = original.get("description").cloned();
        *schema = json!({ "anyOf": [original, reference()] });
        if let Some(description) = described {
            schema["description"] = description;
        }
    }
    properties.extend(keys::of(section).map(|key| (key.name.to_owned(), property(key))));
    own.insert("properties".to_owned(), properties.into());
    // A root of its own, so that its references to "#/$defs/..." still lead into it.
    own.insert("$id".to_owned(), format!("urn:culvert:{}:{}", connector.name, role.as_str()).into());
    let named = json!({ "properties": { "connector": { "const": connector.name } }, "required": ["connector"] });
    Some(json!({ "if": named, "then": own }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The keys of a schema of a section, with those of the tables in it.
    fn keys_of(schema: &Json, section: &str, found: &mut BTreeSet<String>) {
        for (name, value) in schema["properties"].as_object().into_iter().flatten() {
            let value = if value["items"]["properties"].is_object() { &value["items"] } else { value };
            if value["properties"].is_object() {
                keys_of(value, name, found);
                continue;
            }
            found.insert(format!("{section}.{name}"));
            let table = value["anyOf"].as_array().and_then(|either| {
                either.iter().find(|one| one["properties"]["env"].is_null() && one["properties"].is_object())
            });
            if let Some(table) = table {
                keys_of(table, name, found);
            }
        }
    }

    #[test]
    fn the_schema_has_every_key_of_the_parser_and_no_other() {
        let mut found = BTreeSet::new();
        keys_of(&pipeline_schema(&[]), ROOT, &mut found);
        let of_pipelines = keys::KEYS.iter().filter(|key| !key.section.ends_with(keys::ENTRY));
        let known = of_pipelines.map(|key| format!("{}.{}", key.section, key.name)).collect();
        assert_eq!(found, known);
    }

    #[test]
    fn the_schema_takes_examples_and_defaults() {
        for key in keys::KEYS {
            let schema = property(key);
            let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string());
            let validator = validator.unwrap_or_else(|error| panic!("{}: {error}", key.name));
            assert!(validator.is_valid(&schema["examples"][0]), "the example of {}", key.name);
            assert!(key.default.is_none() || validator.is_valid(&schema["default"]), "the default of {}", key.name);
            assert!(validator.is_valid(&json!({ "env": "NAME" })), "{}", key.name);
        }
    }
}
