//! What a transform is written with: its bytes in as blocks, its bytes out as they're made. Holds one block;
//! knows no format.

use wit_bindgen::{FutureReader, StreamReader, StreamResult, spawn_local};

use crate::{
    bindings::transform::{wit_future, wit_stream},
    error,
    stream::Data,
    types::Error,
};

pub use crate::bindings::transform::exports::culvert::connector::transform::{Effect, Guest};

/// Bytes that are taken at once: a chunk of the engine's, so that a block is seldom put together.
const READ_BYTES: usize = 256 * 1024;

/// What `apply` returns.
pub type Made = (StreamReader<u8>, FutureReader<Result<(), Error>>);

/// The bytes of an object on their way in.
#[derive(Debug)]
pub struct Input {
    data: StreamReader<u8>,
    /// Taken from the stream.
    waiting: Vec<u8>,
    /// How much of it has been given out.
    given: usize,
    ended: bool,
}

/// Bytes that `make` writes while it reads `data`: the return value of `apply`. All of `data` has to be read,
/// to its end.
///
/// ```no_run
/// # use culvert_sdk::{StreamReader, transform};
/// # fn apply(data: StreamReader<u8>) -> transform::Made {
/// transform::make(data, async |input, output| {
///     while let Some(block) = input.block(64 * 1024).await {
///         let reversed = block.iter().rev().copied().collect();
///         output.write(reversed).await?;
///     }
///     Ok(())
/// })
/// # }
/// ```
pub fn make(
    data: StreamReader<u8>,
    make: impl AsyncFnOnce(&mut Input, &mut Data) -> Result<(), Error> + 'static,
) -> Made {
    let (writer, reader) = wit_stream::new::<u8>();
    let (outcome, resolved) =
        wit_future::new::<Result<(), Error>>(|| Err(error::internal("the work was dropped unfinished")));
    spawn_local(async move {
        let (mut input, mut output) = (Input::new(data), Data::new(writer));
        let result = make(&mut input, &mut output).await;
        // The stream's end comes before the word on it, and what was read ends with it.
        drop((input, output));
        // An engine that has dropped its end no longer wants to know.
        let _ = outcome.write(result).await;
    });
    (reader, resolved)
}

// === impl Input ===

impl Input {
    fn new(data: StreamReader<u8>) -> Self {
        Self { data, waiting: Vec::new(), given: 0, ended: false }
    }

    /// Exactly so many bytes, fewer only at the end; none once there are no more.
    pub async fn block(&mut self, bytes: usize) -> Option<&[u8]> {
        while self.waiting.len() - self.given < bytes && !self.ended {
            self.fill(bytes).await;
        }
        self.give(bytes)
    }

    /// The next bytes, however many there are; none once there are no more.
    pub async fn some(&mut self) -> Option<&[u8]> {
        self.block(1).await?;
        self.given -= 1;
        self.give(usize::MAX)
    }

    fn give(&mut self, bytes: usize) -> Option<&[u8]> {
        let from = self.given;
        self.given = self.waiting.len().min(from.saturating_add(bytes));
        (self.given > from).then(|| &self.waiting[from..self.given])
    }

    async fn fill(&mut self, wanted: usize) {
        let mut buffer = std::mem::take(&mut self.waiting);
        buffer.drain(..std::mem::take(&mut self.given));
        buffer.reserve(wanted.saturating_sub(buffer.len()).max(READ_BYTES));
        let result;
        (result, self.waiting) = self.data.read(buffer).await;
        self.ended = result == StreamResult::Dropped;
    }
}
