//! The `[[transform]]` table: its schema and its type.

use serde::Deserialize;

/// Schema of the table.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Zstandard",
  "description": "Compresses files into Zstandard frames (RFC 8878), or decompresses them.",
  "type": "object",
  "additionalProperties": false,
  "required": ["mode"],
  "properties": {
    "mode": {
      "title": "Mode",
      "description": "compress: about as zstd -1 does, with a checksum, in a frame for each MiB, which any zstd takes. decompress: one frame or several, of any level, with a window of at most 128 MiB.",
      "type": "string",
      "enum": ["compress", "decompress"],
      "x-identity": true
    },
    "suffix": {
      "title": "Suffix",
      "description": "What is put behind a key when a file is compressed, and taken off when it's decompressed.",
      "type": "string",
      "maxLength": 64,
      "default": ".zst",
      "x-identity": true
    }
  }
}"#;

/// The table.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    #[serde(default = "suffix")]
    pub(crate) suffix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Compress,
    Decompress,
}

fn suffix() -> String {
    ".zst".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn defaults_are_those_of_the_schema() {
        let config: Config = culvert_sdk::config::parse(r#"{"mode": "compress"}"#).unwrap();
        assert_eq!(config, Config { mode: Mode::Compress, suffix: ".zst".to_owned() });
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(schema["properties"]["suffix"]["default"], ".zst");
        assert_eq!(schema["additionalProperties"], false);
    }
}
