//! Buffers of one chunk each, used again: fresh ones cost a page fault for every 4 KiB. Keeps a
//! bounded number; hands out more when asked, and forgets those afterwards.

use std::sync::Mutex;

use bytes::Bytes;
use culvert_flow::body::MAX_CHUNK_BYTES;

/// Buffers kept for later: two for each of the 256 workers that a pipeline may have, 128 MiB.
const MAX_KEPT: usize = 512;

static KEPT: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// A buffer of [`MAX_CHUNK_BYTES`] that goes back to the pool when it's dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Option<Box<[u8]>>,
    filled: usize,
}

// === impl Buffer ===

impl Buffer {
    /// A buffer with stale content; its filled part is empty.
    pub(crate) fn take() -> Self {
        let kept = KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| vec![0; MAX_CHUNK_BYTES].into_boxed_slice());
        Self { bytes: Some(bytes), filled: 0 }
    }

    /// At most `max` bytes to fill.
    pub(crate) fn space(&mut self, max: usize) -> &mut [u8] {
        let bytes = self.bytes.as_deref_mut().unwrap_or_default();
        let end = max.min(bytes.len());
        &mut bytes[..end]
    }

    /// The first `filled` bytes as a value that can be shared; the buffer returns when the last
    /// holder is gone.
    pub(crate) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_deref().map_or(&[], |bytes| &bytes[..self.filled])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(bytes) = self.bytes.take() else { return };
        let mut kept = KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push(bytes);
        }
    }
}
