//! The `http` connector on nginx: index pages and lists, ranges, versions, redirects, and what isn't granted.

mod lists;
mod pages;

use std::fs;

use crate::harness::nginx::Nginx;

/// Bytes that differ from place to place.
fn bytes(length: usize, seed: u8) -> Vec<u8> {
    let mut value = u32::from(seed);
    let next = |_| {
        value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        value.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// Puts a file where the server has it.
fn put(server: &Nginx, name: &str, content: &[u8]) {
    let path = server.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The table of a source with these keys.
fn source(keys: &str) -> String {
    format!("connector = \"http\"\n{keys}")
}
