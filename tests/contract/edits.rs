//! The check of the contract against edits of every kind: what breaks a connector is found, what doesn't isn't.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Contract, RELEASED, ROOT, changes::breaking};
use crate::harness::Scratch;

/// A copy of the released contract with one file edited; `from` has to be there.
pub(super) fn edit(scratch: &Scratch, file: &str, from: &str, to: &str) -> PathBuf {
    let folder = scratch.path("edited");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    copy(&Path::new(ROOT).join(RELEASED).join("0.1.0"), &folder);
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
    folder
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn released() -> Contract {
    Contract::read(&Path::new(ROOT).join(RELEASED).join("0.1.0"))
}

/// File, what stands there, what it becomes, and what is said.
const BREAKING: &[(&str, &str, &str, &str)] = &[
    // A field, its name, its type, its place.
    ("types.wit", "        kind: string,\n", "", "type object of types"),
    ("types.wit", "        kind: string,\n", "        kind: string,\n        more: string,\n", "type object of types"),
    ("types.wit", "        kind: string,\n", "        sort: string,\n", "type object of types"),
    ("types.wit", "size: option<u64>", "size: u64", "type object of types"),
    ("sink.wit", "number: u32,", "number: u64,", "type part of sink"),
    // A case more, less, or with something else in it.
    ("connector.wit", "        sink,\n    }", "        sink,\n        transform,\n    }", "type role of connector"),
    ("connector.wit", "        source,\n", "", "type role of connector"),
    ("types.wit", "        unreadable(unreadable),", "        unreadable(string),", "type entry of types"),
    // What a name stands for.
    ("types.wit", "type duration = u64;", "type duration = u32;", "type duration of types"),
    // A function: gone, renamed, other parameters, another result, no longer waited for.
    (
        "sink.wit",
        "    @since(version = 0.1.0)\n    sweep: async func(keep: list<string>) -> result<u64, error>;\n",
        "",
        "function sweep of sink",
    ),
    ("source.wit", "    stat: async func", "    status: async func", "function stat of source"),
    (
        "sink.wit",
        "sweep: async func(keep: list<string>)",
        "sweep: async func(keep: list<string>, more: u32)",
        "function sweep of sink",
    ),
    (
        "sink.wit",
        "sweep: async func(keep: list<string>)",
        "sweep: async func(others: list<string>)",
        "function sweep of sink",
    ),
    (
        "sink.wit",
        "sweep: async func(keep: list<string>) -> result<u64, error>",
        "sweep: async func(keep: list<string>) -> result<u32, error>",
        "function sweep of sink",
    ),
    ("sink.wit", "sweep: async func", "sweep: func", "function sweep of sink"),
    // Something more that a connector would have to export.
    (
        "source.wit",
        "    stat: async func",
        "    count: async func() -> u64;\n    @since(version = 0.1.0)\n    stat: async func",
        "function count of source",
    ),
    (
        "world.wit",
        "world source-connector {\n",
        "world source-connector {\n    @since(version = 0.1.0)\n    export copying;\n",
        "asks for copying",
    ),
    // Something less that the engine has or looks for.
    ("world.wit", "    @since(version = 0.1.0)\n    import posix;\n", "", "import posix of the world"),
    (
        "world.wit",
        "    @since(version = 0.1.0)\n    import wasi:http/client@0.3.0;\n",
        "",
        "import wasi:http/client@0.3 of the world imports",
    ),
    ("world.wit", "    @since(version = 0.1.0)\n    export resuming;\n", "", "export resuming of the world everything"),
    ("world.wit", "world sink-connector {", "world writer {", "the world sink-connector is gone"),
    // A type of WASI's that the contract uses.
    ("deps/clocks.wit", "seconds: s64,", "seconds: u64,", "type instant of wasi:clocks/system-clock@0.3"),
];

#[test]
fn every_breaking_change_is_found() {
    let scratch = Scratch::new();
    let old = released();
    for (file, from, to, word) in BREAKING {
        let found = breaking(&old, &Contract::read(&edit(&scratch, file, from, to)));
        assert!(found.iter().any(|it| it.contains(word)), "{from:?} -> {to:?}: no {word:?} in {found:#?}");
    }
}

#[test]
fn an_interface_that_is_gone_is_found() {
    let scratch = Scratch::new();
    let folder = edit(&scratch, "world.wit", "    @since(version = 0.1.0)\n    export resuming;\n", "");
    fs::remove_file(folder.join("resuming.wit")).unwrap();
    let found = breaking(&released(), &Contract::read(&folder));
    for word in ["the interface resuming is gone", "the export resuming of the world everything is gone"] {
        assert!(found.iter().any(|it| it == word), "no {word:?} in {found:#?}");
    }
}

#[test]
fn additions_are_no_breaking_change() {
    let scratch = Scratch::new();
    let old = released();
    assert_eq!(breaking(&old, &old), Vec::<String>::new());
    for (file, from, to) in [
        // Another version of the same line, other words.
        ("world.wit", "package culvert:connector@0.1.0;", "package culvert:connector@0.1.7;"),
        ("types.wit", "/// A time span in nanoseconds.", "/// Nanoseconds."),
        // A type more, a function of the engine's more, an interface more to import or to look for.
        (
            "types.wit",
            "    type duration = u64;\n",
            "    type duration = u64;\n    @since(version = 0.1.0)\n    type moment = u64;\n",
        ),
        (
            "posix.wit",
            "interface posix {\n",
            "interface posix {\n    @since(version = 0.1.0)\n    more: func() -> u64;\n",
        ),
        (
            "world.wit",
            "    import credentials;\n",
            "    import credentials;\n    @since(version = 0.1.0)\n    import more;\n",
        ),
        ("world.wit", "    export copying;\n", "    export copying;\n    @since(version = 0.1.0)\n    export more;\n"),
        ("world.wit", "world storage {", "world added { export connector; }\nworld storage {"),
    ] {
        let folder = edit(&scratch, file, from, to);
        let more =
            "@since(version = 0.1.0)\ninterface more {\n    @since(version = 0.1.0)\n    more: func() -> u64;\n}\n";
        fs::write(folder.join("more.wit"), more).unwrap();
        assert_eq!(breaking(&old, &Contract::read(&folder)), Vec::<String>::new(), "{from:?} -> {to:?}");
    }
}
