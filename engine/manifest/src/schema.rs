//! Looks things up in a connector's JSON Schema. The schema comes from a guest: nothing here trusts
//! its shape, follows a reference for ever or recurses without an end.

use serde_json::Value as Json;

/// Most references followed, and deepest nesting looked at, on the way to one property.
const MAX_HOPS: usize = 32;

/// Most steps that a check of one value may take from word to word, over all places of a schema:
/// large schemas of real services take a few thousand.
const MAX_STEPS: usize = 100_000;

/// Longest chain of such steps.
const MAX_CHAIN: usize = 64;

/// Words whose schemas apply to the same value.
const IN_PLACE: [&str; 8] = ["$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/// Words whose schemas apply to what's inside of a value.
const INSIDE: [&str; 9] = [
    "prefixItems",
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "contentSchema",
];

/// Words that hold schemas by name.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// Refuses a schema that a validator could work on for ever: references that lead out of it, in a
/// circle around one value, or into ever more of themselves.
pub(crate) fn refuse_endless(root: &Json) -> Result<(), String> {
    let mut steps = MAX_STEPS;
    visit(root, root, true, &mut steps)
}

/// Every place of the schema, each once. The text of a schema nests at most as deep as the JSON
/// reader allows.
fn visit(root: &Json, schema: &Json, is_root: bool, steps: &mut usize) -> Result<(), String> {
    let Some(words) = schema.as_object() else { return Ok(()) };
    for word in ["$dynamicRef", "$recursiveRef", "$id"] {
        if words.contains_key(word) && !(is_root && word == "$id") {
            return Err(format!("it has the word {word} where only plain references are taken"));
        }
    }
    expand(root, schema, MAX_CHAIN, steps)?;
    for (word, value) in words {
        let word = word.as_str();
        if NAMED.contains(&word) {
            value.as_object().into_iter().flatten().try_for_each(|(_, inner)| visit(root, inner, false, steps))?;
        } else if INSIDE.contains(&word) || (IN_PLACE.contains(&word) && word != "$ref") {
            match value {
                Json::Array(list) => list.iter().try_for_each(|inner| visit(root, inner, false, steps))?,
                inner => visit(root, inner, false, steps)?,
            }
        }
    }
    Ok(())
}

/// Everything that a validator looks at for one value, as often as it would.
fn expand(root: &Json, schema: &Json, chain: usize, steps: &mut usize) -> Result<(), String> {
    if chain == 0 || *steps == 0 {
        return Err("its references lead to ever more of themselves".to_owned());
    }
    *steps -= 1;
    let Some(words) = schema.as_object() else { return Ok(()) };
    for word in IN_PLACE {
        match (word, words.get(word)) {
            ("$ref", Some(reference)) => {
                let target = reference.as_str().and_then(|text| root.pointer(text.strip_prefix('#')?));
                let target = target.ok_or_else(|| format!("its reference {reference} leads nowhere in it"))?;
                expand(root, target, chain - 1, steps)?;
            }
            (_, Some(Json::Array(list))) => {
                list.iter().try_for_each(|inner| expand(root, inner, chain - 1, steps))?;
            }
            (_, Some(inner)) => expand(root, inner, chain - 1, steps)?,
            (_, None) => {}
        }
    }
    let dependent = words.get("dependentSchemas").and_then(Json::as_object);
    dependent.into_iter().flatten().try_for_each(|(_, inner)| expand(root, inner, chain - 1, steps))
}

/// The schema with its references followed; none if they lead nowhere.
pub(crate) fn follow<'a>(root: &'a Json, mut schema: &'a Json) -> Option<&'a Json> {
    for _ in 0..MAX_HOPS {
        let Some(reference) = schema.get("$ref") else { return Some(schema) };
        schema = root.pointer(reference.as_str()?.strip_prefix('#')?)?;
    }
    None
}

/// The schema of a table's property.
pub(crate) fn property<'a>(root: &'a Json, schema: &'a Json, name: &str) -> Option<&'a Json> {
    follow(root, schema)?.get("properties")?.get(name)
}

/// The schema of a list's items.
pub(crate) fn items<'a>(root: &'a Json, schema: &'a Json) -> Option<&'a Json> {
    follow(root, schema)?.get("items")
}

/// A word of a property's schema, before or behind its reference.
pub(crate) fn keyword<'a>(root: &'a Json, schema: &'a Json, name: &str) -> Option<&'a Json> {
    schema.get(name).or_else(|| follow(root, schema)?.get(name))
}

/// Whether a value of this schema, or anything in it, may be secret. One that's too deep to tell is.
pub(crate) fn may_be_secret(root: &Json, schema: &Json) -> bool {
    let mut budget = MAX_HOPS * MAX_HOPS;
    secret_within(root, schema, MAX_HOPS, &mut budget)
}

fn secret_within(root: &Json, schema: &Json, depth: usize, budget: &mut usize) -> bool {
    if depth == 0 || *budget == 0 {
        return true;
    }
    *budget -= 1;
    match schema {
        Json::Object(entries) => entries.iter().any(|(name, value)| match (name.as_str(), value) {
            ("x-secret", value) => value != &Json::Bool(false),
            ("$ref", Json::String(reference)) => {
                let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                target.is_none_or(|target| secret_within(root, target, depth - 1, budget))
            }
            // What a word may be says nothing about secrets, and may be long.
            ("enum" | "const" | "default" | "examples" | "required", _) => false,
            (_, value) => secret_within(root, value, depth - 1, budget),
        }),
        Json::Array(items) => items.iter().any(|item| secret_within(root, item, depth - 1, budget)),
        _ => false,
    }
}

/// The segments of a JSON pointer.
pub(crate) fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_secrets_behind_references() {
        let root = json!({
            "properties": {
                "direct": { "type": "string", "x-secret": true },
                "behind": { "$ref": "#/$defs/key" },
                "either": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/key" }] },
                "plain": { "type": "string", "x-secret": false },
                "loop": { "$ref": "#/properties/loop" },
            },
            "$defs": { "key": { "x-secret": true } },
        });
        let secret = |name| property(&root, &root, name).is_none_or(|schema| may_be_secret(&root, schema));
        assert!(secret("direct") && secret("behind") && secret("either") && secret("loop") && secret("unknown"));
        assert!(!secret("plain"));
        assert!(follow(&root, &root["properties"]["loop"]).is_none());
    }

    #[test]
    fn refuses_what_would_never_end() {
        let mut doubling = json!({ "$ref": "#/$defs/d0", "$defs": { "d30": true } });
        for level in 0..30 {
            let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
            doubling["$defs"][format!("d{level}")] = json!({ "allOf": [next, next] });
        }
        let deep = (0..100).fold(json!(true), |inner, _| json!({ "not": inner }));
        for endless in [
            json!({ "$ref": "#" }),
            json!({ "properties": { "a": { "allOf": [{ "$ref": "#/properties/a" }] } } }),
            json!({ "properties": { "a": { "$ref": "https://example.com/schema" } } }),
            json!({ "properties": { "a": { "$id": "b", "$ref": "#" } } }),
            json!({ "$dynamicRef": "#" }),
            doubling,
            deep,
        ] {
            assert!(refuse_endless(&endless).is_err(), "{endless}");
        }
        let list = json!({ "properties": { "next": { "$ref": "#" }, "$ref": { "type": "string" } } });
        assert_eq!(refuse_endless(&list), Ok(()));
    }
}
