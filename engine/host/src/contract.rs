//! The contract's version, and which connectors of other versions run: those of the same line (before 1.0 a
//! minor version is a line of its own). Compares names and looks into no interface.

use std::fmt;

/// Of `wit/`, which a test holds it against.
pub(crate) const VERSION: Version = Version { major: 0, minor: 1, patch: 0 };

/// How the names of the contract's interfaces begin.
const PACKAGE: &str = "culvert:connector/";

/// A contract's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

/// Why a component with these imports and exports can't be run by this engine, whatever it does; none if
/// nothing speaks against it.
pub(crate) fn refusal<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let other = names.into_iter().filter_map(version).find(|version| version.line() != VERSION.line())?;
    let side = if other > VERSION {
        "update the engine, or take a build of the connector for this one"
    } else {
        "update the connector: it has to be built anew"
    };
    Some(format!("it's built against the contract {other}, and this engine has {VERSION}; {side}"))
}

/// What may help where a component of this line doesn't fit; empty where nothing does.
pub(crate) fn hint<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    match names.into_iter().filter_map(version).max() {
        Some(newest) if newest > VERSION => {
            format!("; it's built against the contract {newest}, and this engine has {VERSION}: update the engine")
        }
        _ => String::new(),
    }
}

/// None where the name isn't one of the contract's.
fn version(name: &str) -> Option<Version> {
    let (_, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let mut next = || numbers.next().flatten();
    Some(Version { major: next()?, minor: next()?, patch: next()? })
}

// === impl Version ===

impl Version {
    /// What has to be equal.
    fn line(self) -> (u64, u64) {
        (self.major, if self.major == 0 { self.minor } else { 0 })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_wit() {
        let package = format!("package culvert:connector@{VERSION};");
        assert!(include_str!("../../../wit/world.wit").contains(&package), "wit/world.wit doesn't say {package}");
    }

    #[test]
    fn another_line_is_refused_and_another_patch_is_not() {
        let refused = |name: &str| refusal([name]);
        assert_eq!(refused("culvert:connector/source@0.1.0"), None);
        assert_eq!(refused("culvert:connector/source@0.1.99"), None);
        assert_eq!(refused("wasi:filesystem/types@0.9.0"), None);
        for (version, side) in
            [("0.2.0", "update the engine"), ("1.0.0", "update the engine"), ("0.0.9", "update the connector")]
        {
            let sentence = refused(&format!("culvert:connector/source@{version}"));
            assert!(sentence.is_some_and(|it| it.contains(side) && it.contains(version)), "{version}");
        }
        assert_eq!(hint(["culvert:connector/posix@0.1.0"]), "");
        assert!(hint(["culvert:connector/posix@0.1.0", "culvert:connector/posix@0.1.1"]).contains("0.1.1"));
    }
}
