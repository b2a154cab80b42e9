//! The connectors that come with the engine, so that an agent is one file to deploy. Runs nothing.
//! A new one is a folder under `plugins/`, a word in `build.rs` and a line here.

/// A connector inside the binary.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// The name in `connector = "..."`.
    pub name: &'static str,
    /// The component.
    pub wasm: &'static [u8],
}

/// Every built-in connector, by name.
pub const BUILTINS: [Builtin; 7] = [
    Builtin { name: "local", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/local.wasm")) },
    Builtin { name: "s3", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/s3.wasm")) },
    Builtin { name: "oss", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/oss.wasm")) },
    Builtin { name: "ftp", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/ftp.wasm")) },
    Builtin { name: "http", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/http.wasm")) },
    Builtin { name: "zstd", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/zstd.wasm")) },
    Builtin { name: "age", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/age.wasm")) },
];

/// The built-in connector of this name.
pub fn find(name: &str) -> Option<Builtin> {
    BUILTINS.into_iter().find(|builtin| builtin.name == name)
}
