//! The JSON Schemas of the `[source]` and `[sink]` tables: what both share, and what each has beyond.

/// Properties of both tables.
const SHARED: &str = r#"
    "endpoint": {
      "title": "Server",
      "description": "The server's URL, host and port only: ftp://host:port (no encryption), ftpes://host:port (TLS begins with AUTH TLS), ftps://host:port (TLS from the first byte). Without a port: 21, for ftps 990.",
      "type": "string",
      "pattern": "^([fF][tT][pP]|[fF][tT][pP][eE][sS]|[fF][tT][pP][sS])://[^/@?#\\\\]+/?$",
      "x-grant": "socket",
      "examples": ["ftpes://ftp.example.com:21"]
    },
    "path": {
      "title": "Folder",
      "description": "The folder on the server below which everything lies. A relative path begins where the login does.",
      "type": "string",
      "default": "",
      "x-identity": true,
      "examples": ["/pub/archive"]
    },
    "user": {
      "title": "User",
      "description": "The name to log in with.",
      "type": "string",
      "minLength": 1,
      "x-identity": true,
      "default": "anonymous"
    },
    "password": {
      "title": "Password",
      "description": "The password to log in with; anonymous@ without one. Best taken from a variable or a file.",
      "type": "string",
      "x-secret": true
    },
    "account": {
      "title": "Account",
      "description": "What is sent where the server asks for an account (ACCT).",
      "type": "string",
      "x-secret": true
    },
    "encoding": {
      "title": "Encoding of names",
      "description": "How the server writes names. utf-8: names that aren't UTF-8 are reported as unreadable. latin-1: every byte is a character.",
      "type": "string",
      "enum": ["utf-8", "latin-1"],
      "default": "utf-8"
    },
    "mlsd": {
      "title": "Use MLSD",
      "description": "Whether folders are listed with MLSD where the server offers it. Off: with LIST, and MDTM for each file.",
      "type": "boolean",
      "default": true
    },
    "epsv": {
      "title": "Use EPSV",
      "description": "Whether data connections are asked for with EPSV before PASV is tried.",
      "type": "boolean",
      "default": true
    },
    "hidden": {
      "title": "Hidden files",
      "description": "Whether LIST is asked for names that begin with a dot (LIST -a). MLSD shows what the server shows.",
      "type": "boolean",
      "default": true
    },
    "bind": {
      "title": "Local address",
      "description": "The address of this machine that connections come from.",
      "type": "string",
      "examples": ["192.0.2.10"]
    },
    "tls_ca": {
      "title": "Authorities",
      "description": "Certificates of the authorities to trust instead of this machine's, PEM text; best { file = \"/etc/ssl/ftp-ca.pem\" }.",
      "type": "string",
      "minLength": 1
    },
    "tls_min": {
      "title": "Oldest TLS version",
      "description": "The oldest version of TLS that is spoken.",
      "type": "string",
      "enum": ["1.2", "1.3"],
      "default": "1.2"
    },
    "tls_max": {
      "title": "Newest TLS version",
      "description": "The newest version of TLS that is spoken. 1.2 for servers that fail to resume sessions of 1.3.",
      "type": "string",
      "enum": ["1.2", "1.3"],
      "default": "1.3"
    },
    "insecure_skip_verify": {
      "title": "Take any certificate",
      "description": "Whether the server's certificate is taken unchecked: anybody on the way can then read and change everything, the password too.",
      "type": "boolean",
      "default": false
    }"#;

/// Properties of the source alone.
const SOURCE: &str = r#",
    "symlinks": {
      "title": "Symbolic links",
      "description": "keep: a link moves as a link, where the server shows it as one. follow: a link to a file moves as that file; a link to a folder moves as a link, so that no listing runs in a circle.",
      "type": "string",
      "enum": ["keep", "follow"],
      "default": "keep"
    }"#;

/// Properties of the sink alone.
const SINK: &str = r#",
    "checksum": {
      "title": "Ask for checksums",
      "description": "Whether a server that offers HASH, XSHA256, XMD5 or XCRC is asked for the checksum of each file that it got. Off, or without the offer: its size is compared.",
      "type": "boolean",
      "default": true
    }"#;

/// Schema of the `[source]` table.
pub(crate) fn source() -> String {
    schema("FTP server as source", "Reads the files and folders below a folder of an FTP or FTPS server.", SOURCE)
}

/// Schema of the `[sink]` table.
pub(crate) fn sink() -> String {
    let description = "Writes files and folders below a folder of an FTP or FTPS server. A file appears under its name when it is whole.";
    schema("FTP server as sink", description, SINK)
}

fn schema(title: &str, description: &str, more: &str) -> String {
    format!(
        r#"{{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "{title}",
  "description": "{description}",
  "type": "object",
  "additionalProperties": false,
  "required": ["endpoint"],
  "properties": {{{SHARED}{more}
  }}
}}"#
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::{Value, json};

    use super::*;
    use crate::config;

    #[test]
    fn every_property_is_explained_and_taken() {
        for text in [source(), sink()] {
            let schema: Value = serde_json::from_str(&text).unwrap();
            let mut table = json!({"endpoint": "ftp://a"});
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
                if let Some(default) = property.get("default") {
                    table[name] = default.clone();
                }
            }
            let explicit = config::parse(&table.to_string()).unwrap();
            let implicit = config::parse(r#"{"endpoint": "ftp://a"}"#).unwrap();
            assert_eq!(format!("{explicit:?}"), format!("{implicit:?}"), "defaults are those of the schema");
        }
    }
}
