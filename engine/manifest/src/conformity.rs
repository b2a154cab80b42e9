//! A connector's table against its JSON Schema, every difference at its place in the file. Quotes a
//! value only where the schema knows the property and doesn't call it secret.

use std::ops::ControlFlow;

use jsonschema::{Draft, PatternOptions, ValidationError, error::ValidationErrorKind};
use serde_json::Value as Json;

use crate::{
    document::Place,
    endpoint::Endpoint,
    keys,
    kind::either,
    problem::{Invalid, MAX_PROBLEMS, Problems, quoted},
    schema,
    tree::{Node, Value, join},
};

/// Largest compiled regular expression of a schema, in bytes: it comes from a guest.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

/// Where a difference is.
struct Spot<'a> {
    node: &'a Node,
    path: String,
    /// What the schema says of the value; none where it says nothing by name.
    schema: Option<&'a Json>,
    may_be_secret: bool,
}

/// Pushes everything in which the table differs from its schema.
pub(crate) fn check(endpoint: &Endpoint, schema: &Json, config: &Json, problems: &mut Problems) {
    let validator = match build(schema) {
        Ok(validator) => validator,
        Err(reason) => {
            let path = join(&endpoint.path, "connector");
            let message = format!("the connector's own schema of this table can't be used: {reason}");
            let fix = format!("report it to the author of {}", quoted(&endpoint.connector));
            let place = Place { key: path, ..endpoint.table.key_place("", &endpoint.document) };
            problems.push(endpoint.document.problem(place, Invalid::new(message, fix)));
            return;
        }
    };
    for error in validator.iter_errors(config).take(MAX_PROBLEMS) {
        let spot = find(endpoint, schema, error.instance_path().as_str());
        report(endpoint, schema, &spot, &error, problems);
    }
}

fn build(schema: &Json) -> Result<jsonschema::Validator, String> {
    schema::refuse_endless(schema)?;
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
        .build(schema)
        .map_err(|error| quoted(&error.to_string()))
}

fn find<'a>(endpoint: &'a Endpoint, root: &'a Json, pointer: &str) -> Spot<'a> {
    let start = Spot { node: &endpoint.table, path: endpoint.path.clone(), schema: Some(root), may_be_secret: false };
    let found = schema::segments(pointer).try_fold(start, |spot, segment| {
        let (node, path, schema) = match &spot.node.value {
            Value::Table(entries) => (
                entries.get(&segment),
                join(&spot.path, &segment),
                spot.schema.and_then(|schema| schema::property(root, schema, &segment)),
            ),
            Value::List(list) => (
                segment.parse().ok().and_then(|index: usize| list.get(index)),
                format!("{}[{segment}]", spot.path),
                spot.schema.and_then(|schema| schema::items(root, schema)),
            ),
            _ => (None, String::new(), None),
        };
        let Some(node) = node else { return ControlFlow::Break(spot) };
        let may_be_secret = schema.is_none_or(|schema| schema::may_be_secret(root, schema));
        ControlFlow::Continue(Spot { node, path, schema, may_be_secret: spot.may_be_secret || may_be_secret })
    });
    match found {
        ControlFlow::Continue(spot) | ControlFlow::Break(spot) => spot,
    }
}

fn report(endpoint: &Endpoint, root: &Json, spot: &Spot<'_>, error: &ValidationError<'_>, problems: &mut Problems) {
    let document = &endpoint.document;
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = known_properties(root, spot.schema);
            for name in unexpected {
                let path = join(&spot.path, name);
                let node = match &spot.node.value {
                    Value::Table(entries) => entries.get(name).unwrap_or(spot.node),
                    _ => spot.node,
                };
                let fix = match keys::nearest(name, known.iter().copied()) {
                    Some(nearest) => format!("write \"{nearest}\""),
                    None if known.is_empty() => "remove it".to_owned(),
                    None => format!("remove it; the connector's keys are {}", known.join(", ")),
                };
                let invalid = Invalid::new("unknown key", fix);
                problems.push(document.problem(node.key_place(&path, document), invalid));
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let place = Place { key: join(&spot.path, name), ..spot.node.key_place("", document) };
            let schema = spot.schema.and_then(|schema| schema::property(root, schema, name));
            let fix = format!("write {name} = {}", example(root, schema));
            problems.push(document.problem(place, Invalid::new("the key is missing", fix)));
        }
        kind => {
            let place = if spot.may_be_secret {
                spot.node.key_place(&spot.path, document)
            } else {
                spot.node.value_place(&spot.path, document)
            };
            let asked = root.pointer(error.schema_path().as_str()).unwrap_or(&Json::Null);
            problems.push(document.problem(place, invalid(endpoint, spot, kind, asked)));
        }
    }
}

/// What is wrong, from the schema's side alone: the value isn't looked at, unless it's one of the
/// few words of a list.
fn invalid(endpoint: &Endpoint, spot: &Spot<'_>, kind: &ValidationErrorKind, asked: &Json) -> Invalid {
    let limit = shown(asked);
    match kind {
        ValidationErrorKind::Type { .. } => {
            let types = asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]);
            let words: Vec<&str> = types.iter().filter_map(Json::as_str).map(type_word).collect();
            let expected = words.join(" or ");
            let message = format!("expected {expected}, found {}", spot.node.value.type_name());
            Invalid::new(message, format!("write {expected}"))
        }
        ValidationErrorKind::Enum { .. } => {
            let words: Vec<&str> = asked.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let fix =
                if words.is_empty() { format!("write one of {limit}") } else { format!("write {}", either(&words)) };
            Invalid::new("unknown word", fix)
        }
        ValidationErrorKind::Constant { .. } => Invalid::new("it can only be one value", format!("write {limit}")),
        ValidationErrorKind::Minimum { .. } => at_least("the number is too small", &limit, "", endpoint),
        ValidationErrorKind::ExclusiveMinimum { .. } => {
            Invalid::new("the number is too small", format!("write more than {limit}"))
        }
        ValidationErrorKind::Maximum { .. } => {
            Invalid::new("the number is too large", format!("write at most {limit}"))
        }
        ValidationErrorKind::ExclusiveMaximum { .. } => {
            Invalid::new("the number is too large", format!("write less than {limit}"))
        }
        ValidationErrorKind::MinLength { limit: 1 } => {
            Invalid::new("the text is empty", "write at least one character")
        }
        ValidationErrorKind::MinLength { .. } => at_least("the text is too short", &limit, " characters", endpoint),
        ValidationErrorKind::MaxLength { .. } => {
            Invalid::new("the text is too long", format!("write at most {limit} characters"))
        }
        ValidationErrorKind::MinItems { .. } => at_least("the list is too short", &limit, " items", endpoint),
        ValidationErrorKind::MaxItems { .. } => {
            Invalid::new("the list is too long", format!("write at most {limit} items"))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let fix = format!("write a text that matches the regular expression {}", quoted(pattern));
            Invalid::new("the text doesn't have the form that the connector asks for", fix)
        }
        ValidationErrorKind::Format { format } => {
            Invalid::new(format!("expected a text of the form {}", quoted(format)), format!("write a valid {format}"))
        }
        other => {
            let message = format!("it isn't what the connector asks for (schema word {})", quoted(other.keyword()));
            let described = spot.schema.and_then(|schema| schema.get("description")?.as_str());
            let fix = described.map_or_else(|| see(endpoint), |text| format!("the connector says {}", quoted(text)));
            Invalid::new(message, fix)
        }
    }
}

fn at_least(message: &str, limit: &str, unit: &str, endpoint: &Endpoint) -> Invalid {
    let fix = if limit == "null" { see(endpoint) } else { format!("write at least {limit}{unit}") };
    Invalid::new(message, fix)
}

fn see(endpoint: &Endpoint) -> String {
    format!("see \"engine connector inspect {}\"", endpoint.connector)
}

fn shown(asked: &Json) -> String {
    let text = asked.to_string();
    if text.len() > 200 { format!("{}…", text.chars().take(200).collect::<String>()) } else { text }
}

fn type_word(name: &str) -> &str {
    match name {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

fn known_properties<'a>(root: &'a Json, schema: Option<&'a Json>) -> Vec<&'a str> {
    let properties = schema.and_then(|schema| schema::follow(root, schema)?.get("properties")?.as_object());
    let mut names: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    // The map's own order depends on a feature of serde_json that any crate may turn on.
    names.sort_unstable();
    names
}

/// How a property may be written.
fn example(root: &Json, schema: Option<&Json>) -> String {
    let Some(schema) = schema else { return "...".to_owned() };
    if let Some(example) = schema::keyword(root, schema, "examples").and_then(|examples| examples.get(0)) {
        return shown(example);
    }
    let word = |name| schema::keyword(root, schema, name).and_then(Json::as_str);
    match (word("type"), schema::may_be_secret(root, schema)) {
        (_, true) => "{ env = \"...\" } or { file = \"...\" }".to_owned(),
        (Some("integer" | "number"), _) => "0".to_owned(),
        (Some("boolean"), _) => "true".to_owned(),
        (Some("array"), _) => "[...]".to_owned(),
        (Some("object"), _) => "{ ... }".to_owned(),
        _ => "\"...\"".to_owned(),
    }
}
