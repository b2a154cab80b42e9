//! Decompression, block by block: frames one behind the other, those that are to be skipped, and the
//! checksum of each that has one. Reads what a frame's header says before it believes it.

use culvert_sdk::{error, stream::Data, transform::Input, types::Error};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Largest window in bytes: what `zstd` itself takes unless it's told otherwise (`--long`).
const MAX_WINDOW_BYTES: u64 = 128 << 20;
/// Largest block in bytes (RFC 8878, section 3.1.1.2.4).
const MAX_BLOCK_BYTES: usize = 128 << 10;
/// The first bytes of a frame.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Of one that is to be skipped, the lowest bits of the first aside.
const SKIPPED_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// Bytes that go on at once.
const WRITE_BYTES: usize = 256 << 10;

pub(crate) async fn decompress(input: &mut Input, output: &mut Data) -> Result<(), Error> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW_BYTES);
    let mut is_first = true;
    while let Some(magic) = input.block(MAGIC.len()).await {
        let magic = magic.to_vec();
        if magic == MAGIC {
            frame(&mut decoder, input, output).await?;
        } else if magic.len() == MAGIC.len() && magic[0] & 0xf0 == SKIPPED_MAGIC[0] && magic[1..] == SKIPPED_MAGIC[1..]
        {
            skip(input).await?;
        } else if is_first {
            return Err(corrupt("it isn't a Zstandard file"));
        } else {
            return Err(corrupt("what is behind the last frame is none"));
        }
        is_first = false;
    }
    if is_first { Err(corrupt("an empty file isn't a Zstandard file")) } else { Ok(()) }
}

fn corrupt(message: &str) -> Error {
    error::new("corrupt", message)
}

fn broken(problem: &impl std::fmt::Display) -> Error {
    corrupt(&format!("it can't be decompressed: {problem}"))
}

/// The next bytes, all of them.
async fn exactly(input: &mut Input, bytes: usize) -> Result<&[u8], Error> {
    match input.block(bytes).await {
        Some(block) if block.len() == bytes => Ok(block),
        _ => Err(corrupt("it ends in the middle of a frame")),
    }
}

/// A frame of somebody else's data.
async fn skip(input: &mut Input) -> Result<(), Error> {
    let length = exactly(input, 4).await?.try_into().map_or(0, u32::from_le_bytes);
    let mut left = usize::try_from(length).unwrap_or(usize::MAX);
    while left > 0 {
        let taken = left.min(MAX_BLOCK_BYTES);
        exactly(input, taken).await?;
        left -= taken;
    }
    Ok(())
}

async fn frame(decoder: &mut FrameDecoder, input: &mut Input, output: &mut Data) -> Result<(), Error> {
    let descriptor = exactly(input, 1).await?[0];
    let mut header = MAGIC.to_vec();
    header.push(descriptor);
    header.extend_from_slice(exactly(input, header_bytes(descriptor)).await?);
    decoder.reset(&header[..]).map_err(|problem| broken(&problem))?;
    let has_checksum = descriptor & 0b100 != 0;
    loop {
        let mut block = exactly(input, 3).await?.to_vec();
        let word = u32::from_le_bytes([block[0], block[1], block[2], 0]);
        let (is_last, kind) = (word & 1 == 1, word >> 1 & 0b11);
        let size = usize::try_from(word >> 3).unwrap_or(usize::MAX);
        if size > MAX_BLOCK_BYTES {
            return Err(corrupt("one of its blocks is larger than a block may be"));
        }
        // One byte stands for all of a block of one value.
        let body = if kind == 1 { 1 } else { size };
        let checksum = if is_last && has_checksum { 4 } else { 0 };
        if body + checksum > 0 {
            block.extend_from_slice(exactly(input, body + checksum).await?);
        }
        let strategy = BlockDecodingStrategy::UptoBlocks(1);
        decoder.decode_blocks(&block[..], strategy).map_err(|problem| broken(&problem))?;
        if is_last || decoder.can_collect() >= WRITE_BYTES {
            output.write(decoder.collect().unwrap_or_default()).await?;
        }
        if is_last {
            break;
        }
    }
    if has_checksum && decoder.get_checksum_from_data() != decoder.get_calculated_checksum() {
        return Err(corrupt("the bytes of a frame don't add up to its checksum"));
    }
    Ok(())
}

/// Bytes of a frame's header behind its descriptor (RFC 8878, section 3.1.1.1): the window, unless the frame
/// is one segment, the dictionary's number, the content's size.
fn header_bytes(descriptor: u8) -> usize {
    let is_segment = descriptor & 0b10_0000 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
    let size = match descriptor >> 6 {
        0 => usize::from(is_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    usize::from(!is_segment) + dictionary + size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers as `zstd` 1.5 writes them: of a stream, of a known size below and above 256 bytes, and with
    /// a dictionary.
    #[test]
    fn a_header_is_as_long_as_its_descriptor_says() {
        for (descriptor, bytes) in [(0x04, 1), (0x24, 1), (0x64, 2), (0xa4, 4), (0xe0, 8), (0x07, 5), (0x84, 5)] {
            assert_eq!(header_bytes(descriptor), bytes, "{descriptor:#x}");
        }
    }
}
