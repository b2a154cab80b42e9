//! What a connector says of itself, and that it starts and proves its permissions.

use serde_json::Value;

use super::case;
use crate::{
    bench::Bench,
    case::{Case, Outcome, ensure, passed},
    subject::{Owner, Subject},
};

/// The words of a schema's `x-grant`.
const GRANTS: [&str; 4] = ["folder", "endpoint", "subdomain", "socket"];

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    vec![
        case!(
            "describe-identity",
            "the name is of [a-z0-9-], at most 64 bytes, and the version is a semantic one",
            [],
            identity
        ),
        case!("describe-schemas", "each schema is closed, and explains each of its properties", [], schemas),
        case!("describe-capabilities", "no capability lacks what it builds on", [], capabilities),
        case!("describe-starts", "an instance of each role starts, and the connector's own check succeeds", [], starts),
    ]
}

async fn identity<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let it = bench.subject.description();
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        (1..=64).contains(&it.name.len()) && it.name.bytes().all(is_name),
        "expected a name of [a-z0-9-] with 1 to 64 bytes, got {:?}",
        it.name
    );
    let core = it.version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<_> = core.split('.').collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(
        numbers.len() == 3 && numbers.iter().all(is_number),
        "expected a semantic version, as in 1.2.3, got {:?}",
        it.version
    );
    passed()
}

async fn schemas<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let it = bench.subject.description();
    for (role, schema) in [("source", &it.source_schema), ("sink", &it.sink_schema)] {
        let Some(schema) = schema else { continue };
        ensure!(
            schema["type"] == "object" && schema["additionalProperties"] == Value::Bool(false),
            "expected the schema of [{role}] to be an object with \"additionalProperties\": false"
        );
        let none = serde_json::Map::new();
        for (name, property) in schema["properties"].as_object().unwrap_or(&none) {
            for word in ["title", "description"] {
                let is_there = property[word].as_str().is_some_and(|text| !text.is_empty());
                ensure!(is_there, "expected a {word} of {role}.{name} in its schema, got none");
            }
            let Some(grant) = property.get("x-grant") else { continue };
            let is_known = grant.as_str().is_some_and(|grant| GRANTS.contains(&grant));
            ensure!(is_known, "expected {role}.{name} to have an x-grant of {GRANTS:?}, got {grant}");
        }
    }
    passed()
}

async fn capabilities<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let it = bench.subject.description();
    let (is_source, is_sink) = (it.source_schema.is_some(), it.sink_schema.is_some());
    let has = |word: &str| it.capabilities.has(word);
    let reads = is_source || has("read-back");
    let bases = [
        (&["parts", "conditional-put", "read-back", "put-batch", "copy"][..], is_sink, "a sink"),
        (&["ordered-parts", "list-parts"], has("parts"), "\"parts\""),
        (&["long-ranges"], has("range-read"), "\"range-read\""),
        (&["ordered-listing", "range-read", "read-batch", "stat-tells-more"], reads, "a source, or \"read-back\""),
    ];
    for (words, is_there, base) in bases {
        for word in words {
            ensure!(!has(word) || is_there, "expected {base} beside the capability {word:?}, got none");
        }
    }
    for word in it.capabilities.iter() {
        ensure!(!word.is_empty() && word.len() <= 64, "expected capabilities of 1 to 64 bytes, got {word:?}");
    }
    passed()
}

async fn starts<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    if bench.subject.source().is_some() {
        bench.subject.open_source().await?;
    }
    if bench.subject.sink().is_some() {
        bench.subject.open_sink(Owner::Ours).await?;
    }
    bench.subject.check().await?;
    passed()
}
