//! Files that are no connector, and connectors that ask for what nobody grants.

use std::fs;

use super::{guest, in_time, scratch};
use crate::harness::Scratch;

fn inspect(scratch: &Scratch, bytes: &[u8]) -> String {
    let path = scratch.path("guest.wasm");
    fs::write(&path, bytes).unwrap();
    let ended = in_time(scratch.engine(&["connector", "inspect", path.to_str().unwrap()]));
    ended.expect_code(1);
    ended.errors
}

#[test]
fn what_is_no_connector_is_refused() {
    let scratch = scratch();
    let whole = fs::read(guest()).unwrap();
    // A section that says that it's longer than the file.
    let lying = [&b"\0asm\x0d\0\x01\0"[..], b"\x01\xff\xff\xff\xff\x0f"].concat();
    for bytes in [
        b"not wasm at all".to_vec(),
        Vec::new(),
        whole[..whole.len() / 2].to_vec(),
        lying,
        wat::parse_str("(module)").unwrap(),
        wat::parse_str("(component)").unwrap(),
        wat::parse_str("(component (core module (func (export \"x\"))))").unwrap(),
        wat::parse_str("(component (core module $m (memory 65536)) (core instance (instantiate $m)))").unwrap(),
    ] {
        assert!(inspect(&scratch, &bytes).contains("guest.wasm"));
    }
}

#[test]
fn an_import_that_nothing_grants_is_named() {
    let scratch = scratch();
    for import in ["wasi:sockets/tcp@0.2.6", "wasi:http/outgoing-handler@0.2.6", "evil:own/api@1.0.0"] {
        let component = wat::parse_str(format!("(component (import \"{import}\" (instance)))")).unwrap();
        let errors = inspect(&scratch, &component);
        assert!(errors.contains(import) && errors.contains("grants"), "{errors}");
    }
}

#[test]
fn a_folder_import_without_a_folder_is_refused() {
    let scratch = scratch();
    // The hostile connector imports files; without `path` its pipeline grants none.
    let source = format!("connector = {:?}\nbehaviour = \"none\"", guest());
    fs::create_dir(scratch.path("sink")).unwrap();
    let ended = scratch.run(&scratch.pipeline_between(&source, &scratch.local("sink"), ""));
    ended.expect_code(3);
    assert_eq!(ended.summary()["error"]["code"], "invalid-config");
}
