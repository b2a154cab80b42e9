//! Lists the files of the SDK and of the contract, so that `lib.rs` has them inside the binary. Changes
//! none of them.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::exit,
};

/// Where they are in the repository, and where they go in a project.
const FOLDERS: [(&str, &str); 2] = [("plugins/sdk", "sdk"), ("wit", "sdk/wit")];

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().unwrap_or_else(|error| fail(&format!("can't find {}: {error}", root.display())));
    let mut list = String::from("[\n");
    for (from, to) in FOLDERS {
        println!("cargo:rerun-if-changed={}", root.join(from).display());
        let mut files = Vec::new();
        collect(&root.join(from), &mut files);
        files.sort();
        for file in files {
            let below = file.strip_prefix(root.join(from)).unwrap_or(&file);
            let name = format!("{to}/{}", below.display());
            let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
        }
    }
    list.push(']');
    let out = PathBuf::from(variable("OUT_DIR")).join("files.rs");
    if let Err(error) = fs::write(&out, list) {
        fail(&format!("can't write {}: {error}", out.display()));
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| fail(&format!("{}: {error}", folder.display())));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| fail(&format!("{}: {error}", folder.display()))).path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo didn't set {name}")))
}

fn fail(reason: &str) -> ! {
    println!("cargo:warning={reason}");
    exit(1)
}
