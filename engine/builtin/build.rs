//! Builds the connectors under `plugins/` for `wasm32-wasip2` and leaves them where `lib.rs` embeds
//! them. Builds nothing else, and never for the host.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const TARGET: &str = "wasm32-wasip2";
/// The profile in the root `Cargo.toml`.
const PROFILE: &str = "guest";
/// Folders under `plugins/`; each is the package `culvert-<folder>`.
const CONNECTORS: [&str; 7] = ["local", "s3", "oss", "ftp", "http", "zstd", "age"];

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(variable("OUT_DIR"));
    for watched in ["plugins", "wit", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        println!("cargo:rerun-if-changed={}", root.join(watched).display());
    }
    require_target();
    // <target>/<profile>/build/<package>/out: a folder of their own beside the engine's, since cargo
    // holds the engine's while it runs this.
    let Some(target) = out.ancestors().nth(4) else { fail(&format!("{} isn't in a target folder", out.display())) };
    let guests = target.join("guests");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(&root).args(["build", "--locked", "--profile", PROFILE, "--target", TARGET, "--target-dir"]);
    cargo.arg(&guests);
    for connector in CONNECTORS {
        cargo.arg("--package").arg(format!("culvert-{connector}"));
    }
    // What the outer build was told about the host says nothing about the guests.
    let outer =
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"];
    for name in outer {
        cargo.env_remove(name);
    }
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(_) => fail("the connectors under plugins/ don't compile; the errors are above"),
        Err(error) => fail(&format!("can't run cargo for the connectors: {error}")),
    }
    for connector in CONNECTORS {
        let built = guests.join(TARGET).join(PROFILE).join(format!("culvert_{connector}.wasm"));
        let embedded = out.join(format!("{connector}.wasm"));
        if let Err(error) = fs::copy(&built, &embedded) {
            fail(&format!("can't copy {} to {}: {error}", built.display(), embedded.display()));
        }
    }
}

/// Adds the target where it's missing.
fn require_target() {
    let libraries = Command::new(variable("RUSTC")).args(["--print", "target-libdir", "--target", TARGET]).output();
    let installed = libraries.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    if installed {
        return;
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if !added.is_ok_and(|status| status.success()) {
        fail(&format!(
            "the Rust target {TARGET} is missing and `rustup target add {TARGET}` failed: run it by hand, or install \
             the {TARGET} standard library with the package manager that installed Rust"
        ));
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo didn't set {name}")))
}

fn fail(reason: &str) -> ! {
    println!("cargo:warning={reason}");
    exit(1)
}
