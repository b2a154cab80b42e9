//! Compression: a frame for each block of the file, one behind the other, which RFC 8878 (section 3)
//! has decoders take as one file. So a file of any size needs the memory of one block.

use std::io::Cursor;

use culvert_sdk::{stream::Data, transform::Input, types::Error};
use ruzstd::encoding::{CompressionLevel, FrameCompressor};

/// Bytes of a frame: the encoder looks back over 128 KiB, so more would gain little, and less would cost
/// a header and a checksum more often.
const FRAME_BYTES: usize = 1 << 20;

pub(crate) async fn compress(input: &mut Input, output: &mut Data) -> Result<(), Error> {
    let mut compressor = FrameCompressor::new(CompressionLevel::Fastest);
    let mut is_first = true;
    loop {
        let block = match input.block(FRAME_BYTES).await {
            Some(block) => block.to_vec(),
            // An empty file is an empty frame: none would be no Zstandard file.
            None if is_first => Vec::new(),
            None => return Ok(()),
        };
        is_first = false;
        compressor.set_source(Cursor::new(block));
        compressor.set_drain(Vec::new());
        compressor.compress();
        output.write(compressor.take_drain().unwrap_or_default()).await?;
    }
}
