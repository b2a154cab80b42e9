//! The `http` connector on nginx: index pages and lists, ranges, versions, redirects, and what isn't granted.

mod lists;
mod pages;

use std::fs;

use crate::harness::nginx::Nginx;

/// Bytes that differ from place to place.
fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|index| (index * 31 + index / 251) as u8 ^ seed).collect()
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
