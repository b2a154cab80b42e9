//! The `[[transform]]` table: its schema, its type, and the keys that it names. No message repeats one.

use age::{Identity, Recipient, secrecy::SecretString, x25519};
use culvert_sdk::{error, types::Error};
use serde::Deserialize;

use crate::passphrase::Passphrase;

/// Schema of the table.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "age",
  "description": "Encrypts files in the age format (age-encryption.org/v1), or decrypts them.",
  "type": "object",
  "additionalProperties": false,
  "required": ["mode"],
  "properties": {
    "mode": {
      "title": "Mode",
      "description": "encrypt: to recipients, or with a passphrase. decrypt: with an identity, or with the passphrase. Armored (text) files aren't taken.",
      "type": "string",
      "enum": ["encrypt", "decrypt"],
      "x-identity": true
    },
    "recipients": {
      "title": "Recipients",
      "description": "Who can decrypt: public keys as age-keygen prints them. Each of them can, alone.",
      "type": "array",
      "minItems": 1,
      "maxItems": 32,
      "items": { "type": "string", "pattern": "^age1[a-z0-9]+$", "x-identity": true },
      "examples": [["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]]
    },
    "identity": {
      "title": "Identity",
      "description": "What decrypts: the content of a key file of age-keygen, with one secret key or several.",
      "type": "string",
      "x-secret": true
    },
    "passphrase": {
      "title": "Passphrase",
      "description": "Instead of recipients or an identity. Each file then costs as much computing and memory as work_factor says; with many files, recipients are better.",
      "type": "string",
      "minLength": 1,
      "x-secret": true
    },
    "work_factor": {
      "title": "Work factor",
      "description": "How hard guessing the passphrase of a new file is made: scrypt with N = 2^work_factor, which takes 2^work_factor KiB of memory. The program age writes 18, for which limits.memory has to be 512 MiB, here and where such files are decrypted.",
      "type": "integer",
      "minimum": 10,
      "maximum": 20,
      "default": 15
    },
    "suffix": {
      "title": "Suffix",
      "description": "What is put behind a key when a file is encrypted, and taken off when it's decrypted.",
      "type": "string",
      "maxLength": 64,
      "default": ".age",
      "x-identity": true
    }
  }
}"#;

/// The table as it's written. Holds secrets, so there is no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    mode: Mode,
    recipients: Option<Vec<String>>,
    identity: Option<String>,
    passphrase: Option<String>,
    #[serde(default = "work_factor")]
    work_factor: u8,
    #[serde(default = "suffix")]
    suffix: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Encrypt,
    Decrypt,
}

/// What the table says.
pub(crate) struct Settings {
    pub(crate) keys: Keys,
    pub(crate) suffix: String,
}

/// What encrypts or decrypts.
pub(crate) enum Keys {
    Recipients(Vec<Box<dyn Recipient>>),
    /// One that encrypts.
    NewPassphrase(Passphrase),
    /// Those of a key file, or a passphrase.
    Identities(Vec<Box<dyn Identity>>),
}

/// # Errors
/// `invalid-config`.
pub(crate) fn settings(json: &str) -> Result<Settings, Error> {
    let config: Config = culvert_sdk::config::parse(json)?;
    let passphrase = |text: String| {
        // A file ends with a line's end, which nobody types.
        Passphrase::new(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()), config.work_factor)
    };
    let keys = match (config.mode, config.recipients, config.identity, config.passphrase) {
        (Mode::Encrypt, Some(recipients), None, None) => Keys::Recipients(parsed_recipients(&recipients)?),
        (Mode::Encrypt, None, None, Some(text)) => Keys::NewPassphrase(passphrase(text)),
        (Mode::Decrypt, None, Some(text), None) => Keys::Identities(parsed_identities(&text)?),
        (Mode::Decrypt, None, None, Some(text)) => Keys::Identities(vec![Box::new(passphrase(text))]),
        (Mode::Encrypt, ..) => {
            let message = "mode: encrypt needs recipients or a passphrase, one of them, and no identity";
            return Err(error::invalid_config(message));
        }
        (Mode::Decrypt, ..) => {
            let message = "mode: decrypt needs an identity or a passphrase, one of them, and no recipients";
            return Err(error::invalid_config(message));
        }
    };
    Ok(Settings { keys, suffix: config.suffix })
}

fn parsed_recipients(texts: &[String]) -> Result<Vec<Box<dyn Recipient>>, Error> {
    let parsed = texts.iter().map(|text| match text.parse::<x25519::Recipient>() {
        Ok(recipient) => Ok(Box::new(recipient) as Box<dyn Recipient>),
        Err(problem) => Err(error::invalid_config(format!(
            "recipients: {} isn't a public key of age-keygen: {problem}",
            error::quote(text)
        ))),
    });
    parsed.collect()
}

fn parsed_identities(text: &str) -> Result<Vec<Box<dyn Identity>>, Error> {
    let lines = text.lines().map(str::trim).enumerate();
    let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let parsed = keys.map(|(index, line)| match line.parse::<x25519::Identity>() {
        Ok(identity) => Ok(Box::new(identity) as Box<dyn Identity>),
        Err(problem) => {
            let message = format!("identity: line {} isn't a secret key of age-keygen: {problem}", index + 1);
            Err(error::invalid_config(message))
        }
    });
    let parsed: Vec<_> = parsed.collect::<Result<_, _>>()?;
    if parsed.is_empty() {
        return Err(error::invalid_config("identity: there is no secret key in it"));
    }
    Ok(parsed)
}

fn work_factor() -> u8 {
    15
}

fn suffix() -> String {
    ".age".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use age::secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn refused(table: &serde_json::Value) -> String {
        let Err(error) = settings(&table.to_string()) else { panic!("{table} was taken") };
        assert_eq!(error.code, "invalid-config");
        error.message
    }

    #[test]
    fn defaults_are_those_of_the_schema() {
        let settings = settings(&json!({"mode": "decrypt", "passphrase": "p"}).to_string()).unwrap();
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(schema["properties"]["suffix"]["default"], settings.suffix);
        assert_eq!(schema["properties"]["work_factor"]["default"], work_factor());
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_shown() {
        let identity = x25519::Identity::generate();
        let secret = identity.to_string().expose_secret().to_owned();
        let public = identity.to_public().to_string();
        assert!(refused(&json!({"mode": "encrypt"})).contains("needs recipients"));
        assert!(
            refused(&json!({"mode": "encrypt", "recipients": [public], "passphrase": "p"})).contains("one of them")
        );
        assert!(refused(&json!({"mode": "decrypt", "recipients": [public]})).contains("needs an identity"));
        assert!(refused(&json!({"mode": "decrypt", "identity": "# nothing\n"})).contains("no secret key"));
        let broken = refused(&json!({"mode": "decrypt", "identity": format!("# a\n{secret}X")}));
        assert!(broken.contains("line 2") && !broken.contains(&secret[..30]), "{broken}");
        assert!(refused(&json!({"mode": "encrypt", "recipients": ["age1x"]})).contains("\"age1x\""));
        let file = format!("# created: today\n# public key: {public}\n{secret}\n");
        assert!(settings(&json!({"mode": "decrypt", "identity": file}).to_string()).is_ok());
    }
}
