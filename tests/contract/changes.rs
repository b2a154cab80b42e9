//! What a connector built against one contract would notice of another one. Every change that isn't known to
//! be harmless is listed.

use std::collections::BTreeSet;

use super::{
    Contract,
    shape::{Interface, World},
};

/// The world that lists what the engine looks for: a connector need not export all of it.
const OPTIONAL: &str = "everything";

/// A sentence for each.
pub(super) fn breaking(old: &Contract, new: &Contract) -> Vec<String> {
    let mut found = Vec::new();
    let exported: BTreeSet<String> = old.worlds().into_values().flat_map(|world| world.exports).collect();
    let (before, after) = (old.interfaces(), new.interfaces());
    for (name, old) in &before {
        match after.get(name) {
            None => found.push(format!("the interface {name} is gone")),
            Some(new) => interface(name, old, new, exported.contains(name), &mut found),
        }
    }
    let worlds = new.worlds();
    for (name, old) in old.worlds() {
        match worlds.get(&name) {
            None => found.push(format!("the world {name} is gone")),
            Some(new) => world(&name, &old, new, &mut found),
        }
    }
    found
}

fn interface(name: &str, old: &Interface, new: &Interface, is_exported: bool, found: &mut Vec<String>) {
    for (kind, old, new) in [("type", &old.types, &new.types), ("function", &old.functions, &new.functions)] {
        for (item, before) in old {
            match new.get(item) {
                None => found.push(format!("the {kind} {item} of {name} is gone")),
                Some(after) if after != before => {
                    found.push(format!("the {kind} {item} of {name} was {before} and is {after}"));
                }
                Some(_) => {}
            }
        }
    }
    // What the engine has besides harms nobody; what it asks of a connector besides, no connector has.
    if is_exported {
        let added = new.functions.keys().filter(|item| !old.functions.contains_key(*item));
        found.extend(added.map(|item| format!("the function {item} of {name} is new, and no connector exports it")));
    }
}

fn world(name: &str, old: &World, new: &World, found: &mut Vec<String>) {
    for (kind, old, new) in [("import", &old.imports, &new.imports), ("export", &old.exports, &new.exports)] {
        let gone = old.iter().filter(|item| !new.contains(item));
        found.extend(gone.map(|item| format!("the {kind} {item} of the world {name} is gone")));
    }
    if name != OPTIONAL {
        let added = new.exports.iter().filter(|item| !old.exports.contains(item));
        found.extend(added.map(|item| format!("the world {name} asks for {item}, which no connector exports")));
    }
}
