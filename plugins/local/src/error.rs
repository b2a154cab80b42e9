//! Errors that are this connector's own words: what is in the way, what went missing. The plain
//! ones come from `culvert_sdk::error::filesystem`.

use culvert_sdk::{
    error::{self, filesystem, quote},
    types::Error,
    wasi::filesystem::types::ErrorCode,
};

/// A key that no path can be made of. The engine and the host check keys too; this one would
/// otherwise be cut short at the NUL by a C interface below.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if key.contains('\0') {
        return Err(error::invalid_key(format!("the key {} contains a NUL byte", quote(key))));
    }
    Ok(())
}

/// The object was another one when it was listed or opened.
pub(crate) fn changed(key: &str) -> Error {
    error::changed(format!("{} was changed since it was listed or opened", quote(key)))
}

/// Neither file, nor directory, nor symlink.
pub(crate) fn special(key: &str) -> Error {
    error::unsupported(format!("{} is a device, a socket or a pipe", quote(key)))
}

/// Something failed while the sink was making what leads to `key` or `key` itself.
pub(crate) fn writing(operation: &str, key: &str, code: ErrorCode) -> Error {
    match code {
        ErrorCode::NotDirectory => error::already_exists(format!(
            "cannot {operation} {}: a file is where one of its folders should be; move it away",
            quote(key)
        )),
        ErrorCode::IsDirectory | ErrorCode::NotEmpty => error::already_exists(format!(
            "cannot {operation} {}: a folder of that name is there; move it away",
            quote(key)
        )),
        code => filesystem(operation, key, code),
    }
}

/// A whole file can't be given its name.
pub(crate) fn renaming(key: &str, overwrites: bool, code: ErrorCode) -> Error {
    match code {
        // Some file systems say this of a directory in the way.
        ErrorCode::Exist if overwrites => writing("write", key, ErrorCode::IsDirectory),
        code => writing("write", key, code),
    }
}

/// Another number of bytes came than the object has.
pub(crate) fn wrong_length(key: &str, size: u64, written: u64) -> Error {
    error::truncated(format!("{} has {size} bytes, but {written} were written", quote(key)))
}

/// The disk has other bytes than were written.
pub(crate) fn misread(key: &str) -> Error {
    error::checksum_mismatch(format!("{} was written, but reads back with another checksum", quote(key)))
}

/// The temporary file of an upload isn't there any more.
pub(crate) fn upload_gone(key: &str) -> Error {
    error::not_found(format!("the upload {} is gone: it was committed, aborted or deleted; begin it again", quote(key)))
}
