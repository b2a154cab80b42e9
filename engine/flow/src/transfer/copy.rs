//! One object, or one part of one, that the store copies by itself: no byte of it passes here, so
//! nothing is computed. What proves it are the store's own figures.

use super::{Failure, Moved, StoredPart, Terms, Upload, settle, verify};
use crate::{
    error::{Code, Error},
    object::{Checksums, Object},
    sink::{Copied, Part, Sink},
};

/// Copies an object in one go.
pub(crate) async fn copy<Si: Sink>(sink: &mut Si, object: &Object, terms: &Terms) -> Result<Moved, Failure> {
    let copied = settle(&terms.stop, None, sink.copy(object, terms.replace)).await;
    let Copied { stored, source } = copied.ok_or_else(Failure::abandoned)?.map_err(Failure::sink)?;
    let bytes = object.size.unwrap_or(0);
    let grade = verify::stored(object, bytes, &source, &stored, terms.verify).map_err(Failure::unverified)?;
    Ok(Moved { bytes, grade, checksums: source })
}

/// Copies one part of an upload.
pub(crate) async fn copy_part<Si: Sink>(
    sink: &mut Si,
    upload: &Upload,
    part: Part,
    terms: &Terms,
) -> Result<StoredPart, Failure> {
    let copied = settle(&terms.stop, None, sink.copy_part(&upload.token, &upload.object, part)).await;
    let receipt = copied.ok_or_else(Failure::abandoned)?.map_err(|error| Failure::sink(error).of_upload())?;
    if receipt.part != part.number {
        let message = format!("the sink sent a receipt for part {} instead of {}", receipt.part, part.number);
        return Err(Error::new(Code::PROTOCOL, "copy", message).into());
    }
    Ok(StoredPart { receipt, checksums: Checksums::new() })
}
