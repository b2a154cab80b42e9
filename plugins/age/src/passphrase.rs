//! A passphrase as recipient and as identity: the `scrypt` stanza (c2sp.org/age, "scrypt recipient
//! stanza"). The one of the `age` crate finds its work factor by the clock, which stands still here.

use std::{collections::HashSet, iter};

use age::{
    DecryptError, EncryptError, Identity, Recipient,
    secrecy::{ExposeSecret, SecretString},
};
use age_core::{
    format::{FILE_KEY_BYTES, FileKey, Stanza},
    primitives::{aead_decrypt, aead_encrypt},
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

const TAG: &str = "scrypt";
const LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const SALT_BYTES: usize = 16;
/// Largest work factor that's taken: 1 GiB of memory, which `limits.memory` has to allow.
const MAX_WORK_FACTOR: u8 = 20;
/// Bytes of the label that keeps other recipients away.
const OWN_LABEL_BYTES: usize = 16;

/// A passphrase, and how hard guessing it is made in new files.
pub(crate) struct Passphrase {
    text: SecretString,
    work_factor: u8,
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    // Without random numbers there is no encryption: WASI's never fail.
    getrandom::getrandom(&mut bytes).unwrap_or_else(|_| std::process::abort());
    bytes
}

// === impl Passphrase ===

impl Passphrase {
    pub(crate) fn new(text: SecretString, work_factor: u8) -> Self {
        Self { text, work_factor }
    }

    fn key(&self, salt: &[u8], work_factor: u8) -> Option<[u8; 32]> {
        let salt = [LABEL, salt].concat();
        let parameters = scrypt::Params::new(work_factor, 8, 1, 32).ok()?;
        let mut key = [0; 32];
        scrypt::scrypt(self.text.expose_secret().as_bytes(), &salt, &parameters, &mut key).ok()?;
        Some(key)
    }
}

impl Recipient for Passphrase {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let salt: [u8; SALT_BYTES] = random();
        let Some(key) = self.key(&salt, self.work_factor) else { return Err(EncryptError::MissingRecipients) };
        let stanza = Stanza {
            tag: TAG.to_owned(),
            args: vec![BASE64_STANDARD_NO_PAD.encode(salt), self.work_factor.to_string()],
            body: aead_encrypt(&key, file_key.expose_secret()),
        };
        // One that nobody else has: a passphrase is the only recipient of a file.
        let label = BASE64_STANDARD_NO_PAD.encode(random::<OWN_LABEL_BYTES>());
        Ok((vec![stanza], iter::once(label).collect()))
    }
}

impl Identity for Passphrase {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != TAG {
            return None;
        }
        let [salt, work_factor] = &stanza.args[..] else { return Some(Err(DecryptError::InvalidHeader)) };
        let salt = BASE64_STANDARD_NO_PAD.decode(salt).ok().filter(|salt| salt.len() == SALT_BYTES);
        let is_number = work_factor.bytes().all(|byte| byte.is_ascii_digit()) && !work_factor.starts_with('0');
        let number = work_factor.parse::<u8>().ok().filter(|_| is_number);
        let (Some(salt), Some(work_factor)) = (salt, number) else { return Some(Err(DecryptError::InvalidHeader)) };
        let excessive = DecryptError::ExcessiveWork { required: work_factor, target: MAX_WORK_FACTOR };
        if work_factor > MAX_WORK_FACTOR {
            return Some(Err(excessive));
        }
        let Some(key) = self.key(&salt, work_factor) else { return Some(Err(excessive)) };
        let unwrapped = aead_decrypt(&key, FILE_KEY_BYTES, &stanza.body).ok().and_then(|bytes| bytes.try_into().ok());
        Some(unwrapped.map(|bytes| FileKey::new(Box::new(bytes))).ok_or(DecryptError::DecryptionFailed))
    }
}
