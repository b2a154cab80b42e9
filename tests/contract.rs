//! The contract's promise: `wit/` differs from what was released last only in ways that no connector notices,
//! or says by its version that it does; and connectors built against the released one run.

mod changes;
mod connectors;
mod edits;
mod promise;
mod shape;

use std::path::{Path, PathBuf};

use wit_parser::{PackageId, Resolve};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// A folder for each released contract, named by its version. Releasing one is copying `wit/` here.
const RELEASED: &str = "tests/contract/released";

/// A contract as it's read from a folder.
struct Contract {
    resolve: Resolve,
    package: PackageId,
}

// === impl Contract ===

impl Contract {
    fn read(folder: &Path) -> Self {
        let mut resolve = Resolve::default();
        let read = resolve.push_dir(folder);
        let (package, _) = read.unwrap_or_else(|error| panic!("{}: {error:#}", folder.display()));
        Self { resolve, package }
    }

    fn of_this_tree() -> Self {
        Self::read(&Path::new(ROOT).join("wit"))
    }

    /// Major, minor, patch.
    fn version(&self) -> (u64, u64, u64) {
        let version = self.resolve.packages[self.package].name.version.as_ref().unwrap();
        (version.major, version.minor, version.patch)
    }
}

/// The folder of the contract that was released last.
fn last_released() -> PathBuf {
    let folders = std::fs::read_dir(Path::new(ROOT).join(RELEASED)).unwrap().map(|entry| entry.unwrap().path());
    folders.max_by_key(|folder| Contract::read(folder).version()).expect("a released contract")
}
