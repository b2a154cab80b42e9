//! What there is to say of a tunnel, an agent, an address, a task: keys and values in the words of the
//! files, for comparing and showing. Reads nothing.

use std::num::NonZeroU32;

use culvert_flow::tunnel::lease::Definition;
use culvert_manifest::{format_period, units::format_rate};
use serde_json::{Value, json};

use crate::inventory::{addresses::Address, agents::Agent, tasks::Task};

/// By key; a key that says nothing isn't there.
pub(super) type Facts = Vec<(String, Value)>;

pub(super) fn tunnel(definition: &Definition) -> Facts {
    let limits = definition.limits;
    let zone = definition.schedule.first().map(|period| period.timezone().iana_name().unwrap_or("UTC").to_owned());
    let schedule: Vec<_> = definition.schedule.iter().map(format_period).collect();
    said([
        ("max_bandwidth", json!(limits.max_bandwidth.map(format_rate))),
        ("max_requests_per_second", json!(limits.max_requests_per_second.map(|rate| rate.0))),
        ("floor", json!(definition.floor.map(format_rate))),
        ("schedule", if schedule.is_empty() { Value::Null } else { json!(schedule) }),
        ("timezone", json!(zone)),
    ])
}

pub(super) fn agent(agent: &Agent, weight: NonZeroU32) -> Facts {
    said([
        ("tunnel", json!(agent.tunnel)),
        ("network", json!(agent.network)),
        ("bind", json!(agent.bind)),
        ("weight", json!(weight)),
    ])
}

/// An address is kept one key a line.
pub(super) fn address(address: &Address) -> Facts {
    let keys = address.table.lines().filter_map(|line| line.split_once(" = "));
    // TOML's simple values are JSON's too; what isn't stays as it's written.
    let keys = keys.map(|(key, text)| (key.to_owned(), serde_json::from_str(text).unwrap_or_else(|_| json!(text))));
    [("role".to_owned(), json!(address.role))].into_iter().chain(keys).collect()
}

pub(super) fn task(task: &Task) -> Facts {
    // In a fleet the file's text is kept, with its lock's, which isn't shown.
    let content = task.text.as_ref().map(|text| {
        let all = [text.as_str(), task.lock.as_deref().unwrap_or_default()].concat();
        format!("{:08x}", crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, all.as_bytes()))
    });
    said([
        ("file", json!(task.file)),
        ("content", json!(content)),
        ("pipeline", json!(task.pipeline)),
        ("agent", json!(task.agent)),
    ])
}

fn said<const COUNT: usize>(facts: [(&str, Value); COUNT]) -> Facts {
    facts.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)).collect()
}
