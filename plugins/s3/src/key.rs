//! Keys of the engine to keys of the bucket. Refuses what S3 doesn't take.

use culvert_sdk::{error, error::quote, types::Error};

/// Longest key of a bucket in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// The bucket's key of an object.
///
/// # Errors
/// `invalid-key` if it's too long for S3.
pub(crate) fn to_bucket(prefix: &str, key: &str) -> Result<String, Error> {
    let full = format!("{prefix}{key}");
    if full.len() > MAX_KEY_BYTES {
        let message =
            format!("the key {} has {} bytes with its prefix; S3 takes {MAX_KEY_BYTES}", quote(key), full.len());
        return Err(error::invalid_key(message));
    }
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_too_long_is_refused() {
        assert_eq!(to_bucket("nas/", "a").as_deref(), Ok("nas/a"));
        assert_eq!(to_bucket("nas/", &"a".repeat(1021)).map_err(|error| error.code), Err("invalid-key".to_owned()));
    }
}
