//! Makes a change of the contract rebuild this crate: the macro that reads `wit/` doesn't tell cargo.

fn main() {
    println!("cargo:rerun-if-changed=../../wit");
    println!("cargo:rerun-if-changed=build.rs");
}
