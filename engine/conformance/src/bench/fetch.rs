//! Bytes out of a source as the engine takes them: never more than it asks for, and the source's word at
//! the end. Compares nothing.

use culvert_flow::{
    body::{Chunk, MAX_CHUNK_BYTES},
    error::{Code, Error},
    object::{Key, Object, Range},
    source::{Data, Form, Reading, Source},
};

pub(crate) const EVERYTHING: Range = Range { offset: 0, length: None };

/// A whole object, whatever version it has.
pub(crate) async fn whole<R: Source>(source: &mut R, key: &Key) -> Result<(Object, Vec<u8>), Error> {
    read(source, key, EVERYTHING, None, MAX_CHUNK_BYTES).await
}

/// What a range has, asked for in pieces of at most `step` bytes.
///
/// # Errors
/// The source's, or that it sent more than it was asked for.
pub(crate) async fn read<R: Source>(
    source: &mut R,
    key: &Key,
    range: Range,
    version: Option<&str>,
    step: usize,
) -> Result<(Object, Vec<u8>), Error> {
    let Reading { object, data } = source.read(key, range, version).await?;
    let bytes = drain(data, range.length, step).await.map_err(|error| error.with_key(key))?;
    Ok((object, bytes))
}

/// All that `data` has, or `length` bytes and the word that this was the end.
pub(crate) async fn drain<D: Data>(mut data: D, length: Option<u64>, step: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let length = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    loop {
        let left = length.map_or(usize::MAX, |length| length - bytes.len());
        if left == 0 {
            data.finish().await?;
            return Ok(bytes);
        }
        let asked = step.min(left);
        match data.read(asked, Form::Bytes).await? {
            None => return Ok(bytes),
            Some(Chunk::Bytes(chunk)) if (1..=asked).contains(&chunk.len()) => bytes.extend_from_slice(&chunk),
            Some(chunk) => {
                let message = format!("a chunk of {} bytes came where 1 to {asked} were asked for", chunk.len());
                return Err(Error::new(Code::PROTOCOL, "read", message));
            }
        }
    }
}
