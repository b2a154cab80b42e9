//! `wit/` against the contract that was released last: by what each name stands for, and by component types.

use std::{fs, path::Path};

use wit_component::semver_check;
use wit_parser::Resolve;

use super::{
    Contract, RELEASED, ROOT,
    changes::breaking,
    edits::{copy, edit},
    last_released,
};
use crate::harness::Scratch;

/// The worlds that connectors are written for.
const WORLDS: [&str; 3] = ["source-connector", "sink-connector", "storage"];

/// A version that no contract has: two of one name don't go into one `Resolve`.
const NEXT: &str = "package culvert:connector@99.0.0;";

/// Whether the versions say that connectors have to be built anew.
fn is_new_line(old: (u64, u64, u64), new: (u64, u64, u64)) -> bool {
    if old.0 == 0 && new.0 == 0 { new.1 > old.1 } else { new.0 > old.0 }
}

#[test]
fn no_connector_notices_unless_the_version_says_so() {
    let (old, new) = (Contract::read(&last_released()), Contract::of_this_tree());
    assert!(new.version() >= old.version(), "wit/ is older than what was released");
    let found = breaking(&old, &new);
    assert!(
        found.is_empty() || is_new_line(old.version(), new.version()),
        "connectors built against {:?} would notice these changes of wit/; take them back, or give the package a new \
         version (before 1.0 a new minor one), in engine/host/src/contract.rs too:\n{}",
        old.version(),
        found.join("\n")
    );
}

#[test]
fn every_released_contract_is_whole_and_has_its_version() {
    let mut count = 0;
    for folder in fs::read_dir(Path::new(ROOT).join(RELEASED)).unwrap().map(|entry| entry.unwrap().path()) {
        let (major, minor, patch) = Contract::read(&folder).version();
        assert_eq!(folder.file_name().unwrap().to_str(), Some(format!("{major}.{minor}.{patch}").as_str()));
        count += 1;
    }
    assert!(count >= 1);
}

#[test]
fn a_new_line_of_versions_is_one() {
    assert!(
        is_new_line((0, 1, 0), (0, 2, 0)) && is_new_line((0, 9, 9), (1, 0, 0)) && is_new_line((1, 2, 3), (2, 0, 0))
    );
    assert!(
        !is_new_line((0, 1, 0), (0, 1, 1)) && !is_new_line((1, 2, 3), (1, 3, 0)) && !is_new_line((1, 0, 0), (1, 0, 0))
    );
}

/// By component types instead of names: what `wit-component` says of the worlds that connectors are written for.
fn types_agree(old: &Path, new: &Path, scratch: &Scratch) -> Result<(), String> {
    let folder = scratch.path("next");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    copy(new, &folder);
    let (major, minor, patch) = Contract::read(new).version();
    let path = folder.join("world.wit");
    let text = fs::read_to_string(&path).unwrap();
    let package = format!("package culvert:connector@{major}.{minor}.{patch};");
    assert!(text.contains(&package));
    fs::write(&path, text.replace(&package, NEXT)).unwrap();
    let mut resolve = Resolve::default();
    let (old, _) = resolve.push_dir(old).map_err(|error| format!("{error:#}"))?;
    let Contract { resolve: next, package } = Contract::read(&folder);
    let name = next.packages[package].name.clone();
    // Of what both have, WASI's packages, one is left.
    resolve.merge(next).map_err(|error| format!("{error:#}"))?;
    let new = resolve.package_names[&name];
    for world in WORLDS {
        let [old, new] = [old, new].map(|package| resolve.packages[package].worlds[world]);
        semver_check(resolve.clone(), old, new).map_err(|error| format!("{world}: {error:#}"))?;
    }
    Ok(())
}

#[test]
fn component_types_agree_too() {
    let scratch = Scratch::new();
    let (last, tree) = (last_released(), Path::new(ROOT).join("wit"));
    let agree = types_agree(&last, &tree, &scratch);
    let is_new = is_new_line(Contract::read(&last).version(), Contract::of_this_tree().version());
    assert!(agree.is_ok() || is_new, "{agree:?}");
    // It sees what the engine would see, and nothing of what is gone.
    let changed = edit(&scratch, "types.wit", "size: option<u64>", "size: u64");
    assert!(types_agree(&last, &changed, &scratch).is_err());
    let more = edit(
        &scratch,
        "source.wit",
        "    stat: async func",
        "    count: async func() -> u64;\n    @since(version = 0.1.0)\n    stat: async func",
    );
    assert!(types_agree(&last, &more, &scratch).is_err());
}
