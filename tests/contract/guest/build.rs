//! Makes a change of the released contract rebuild this crate: the macro that reads it doesn't tell cargo.

fn main() {
    println!("cargo:rerun-if-changed=../released/0.1.0");
    println!("cargo:rerun-if-changed=build.rs");
}
