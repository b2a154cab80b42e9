//! How tunnels are shown: tables for people, JSON for programs. Changes nothing.

use std::time::SystemTime;

use culvert_flow::{
    rules::Limits,
    tunnel::lease::{Both, Rate, Record},
};
use culvert_manifest::{format_period, units::format_rate};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::{inventory::tunnels::Known, output, table};

/// Limits in a few words.
pub(in crate::command) fn limits(limits: Limits) -> String {
    let bandwidth = limits.max_bandwidth.map(format_rate);
    let requests = limits.max_requests_per_second.map(|rate| format!("{} requests/s", rate.0));
    let parts: Vec<String> = bandwidth.into_iter().chain(requests).collect();
    if parts.is_empty() { "without limit".to_owned() } else { parts.join(", ") }
}

pub(super) fn all(tunnels: &[Known], as_json: bool) {
    if as_json {
        return output::line(&Value::from_iter(tunnels.iter().map(described)).to_string());
    }
    let rows = tunnels.iter().map(|Known { stored, record }| {
        let now = record.definition.limits_at(SystemTime::now());
        vec![stored.name.clone(), limits(now), record.leases.len().to_string(), bytes(leased(record))]
    });
    table::print(&["tunnel", "limits now", "runs", "leased"], &rows.collect::<Vec<_>>());
}

pub(super) fn one(known: &Known, as_json: bool) {
    if as_json {
        return output::line(&described(known).to_string());
    }
    let Known { stored, record } = known;
    let definition = &record.definition;
    let mut facts = vec![
        ("tunnel", stored.name.clone()),
        ("limits", limits(definition.limits)),
        ("now", limits(definition.limits_at(SystemTime::now()))),
        ("floor", definition.floor.map_or_else(|| "none".to_owned(), format_rate)),
    ];
    facts.extend(definition.schedule.iter().map(|period| {
        let zone = period.timezone().iana_name().unwrap_or("UTC");
        ("schedule", format!("{} ({zone})", format_period(period)))
    }));
    facts.extend(definition.weights.iter().map(|(agent, weight)| ("weight", format!("{agent} = {weight}"))));
    facts.push(("defined in", if record.given.is_some() { "engine.toml" } else { "a command" }.to_owned()));
    table::facts(&facts);
    if record.leases.is_empty() {
        return output::line("nobody is on it");
    }
    let rows = record.leases.iter().map(|(holder, lease)| {
        let wants = if lease.wants.bytes == Rate::UNLIMITED { "all".to_owned() } else { bytes(lease.wants.bytes) };
        vec![holder.clone(), bytes(lease.rate.bytes), requests(lease.rate.requests), wants, lease.weight.to_string()]
    });
    table::print(&["run", "lease", "requests/s", "wants", "weight"], &rows.collect::<Vec<_>>());
}

pub(in crate::command) fn leased(record: &Record) -> Rate {
    Rate::of(record.leases.values().fold(0, |sum, lease| sum.saturating_add(lease.rate.bytes.units())))
}

pub(in crate::command) fn bytes(rate: Rate) -> String {
    if rate == Rate::UNLIMITED { "without limit".to_owned() } else { format!("{}/s", HumanBytes(rate.units())) }
}

/// Kept in thousandths.
fn requests(rate: Rate) -> String {
    match rate {
        Rate::UNLIMITED => "without limit".to_owned(),
        rate => format!("{}.{:03}", rate.units() / 1000, rate.units() % 1000),
    }
}

fn described(known: &Known) -> Value {
    let Known { stored, record } = known;
    let definition = &record.definition;
    let limits = |limits: Limits| {
        json!({
            "max_bandwidth": limits.max_bandwidth.map(|rate| rate.0),
            "max_requests_per_second": limits.max_requests_per_second.map(|rate| rate.0),
        })
    };
    let both = |both: Both<Rate>| {
        json!({
            "bytes_per_second": Option::<u64>::from(both.bytes),
            "requests_per_1000_seconds": Option::<u64>::from(both.requests),
        })
    };
    let runs = record.leases.iter().map(|(holder, lease)| {
        json!({"run": holder, "lease": both(lease.rate), "wants": both(lease.wants), "weight": lease.weight})
    });
    let zone = definition.schedule.first().and_then(|period| period.timezone().iana_name());
    json!({
        "tunnel": stored.name,
        "limits": limits(definition.limits),
        "limits_now": limits(definition.limits_at(SystemTime::now())),
        "floor": definition.floor.map(|rate| rate.0),
        "schedule": definition.schedule.iter().map(format_period).collect::<Vec<_>>(),
        "timezone": zone,
        "weights": definition.weights,
        "from_file": record.given.is_some(),
        "runs": runs.collect::<Vec<_>>(),
    })
}
