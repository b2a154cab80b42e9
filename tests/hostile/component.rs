//! Files that are no connector, and connectors that ask for what nobody grants.

use std::{fs, time::Duration};

use crate::harness::Scratch;

fn inspect(scratch: &Scratch, bytes: &[u8]) -> String {
    let path = scratch.path("guest.wasm");
    fs::write(&path, bytes).unwrap();
    let ended = scratch.engine(&["connector", "inspect", path.to_str().unwrap()]);
    ended.expect_code(1);
    assert!(ended.took < Duration::from_secs(20));
    ended.errors
}

#[test]
fn what_is_no_connector_is_refused() {
    let scratch = Scratch::new();
    for bytes in [
        b"not wasm at all".to_vec(),
        Vec::new(),
        wat::parse_str("(module)").unwrap(),
        wat::parse_str("(component)").unwrap(),
        wat::parse_str("(component (core module (func (export \"x\"))))").unwrap(),
    ] {
        assert!(inspect(&scratch, &bytes).contains("guest.wasm"));
    }
}

#[test]
fn an_import_that_nothing_grants_is_named() {
    let scratch = Scratch::new();
    for import in ["wasi:sockets/tcp@0.2.6", "wasi:http/outgoing-handler@0.2.6", "evil:own/api@1.0.0"] {
        let component = wat::parse_str(format!("(component (import \"{import}\" (instance)))")).unwrap();
        let errors = inspect(&scratch, &component);
        assert!(errors.contains(import) && errors.contains("grants"), "{errors}");
    }
}

#[test]
fn a_folder_import_without_a_folder_is_refused() {
    let scratch = Scratch::new();
    // The hostile connector imports files; without `path` its pipeline grants none.
    let source = super::hostile_without_folder("none");
    fs::create_dir(scratch.path("sink")).unwrap();
    let pipeline = scratch.pipeline_between(&source, &scratch.local("sink"), "");
    let ended = scratch.run(&pipeline);
    ended.expect_code(3);
    assert_eq!(ended.summary()["error"]["code"], "invalid-config");
}
