//! A worker's part in copies inside a store: which objects are copied, and that the bytes go through
//! here where the store refuses.

use std::sync::Arc;

use super::{Outcome, Task, Worker};
use crate::{
    compare::SkipReason,
    error::Code,
    object::{Kind, Object},
    rules::{ByteSize, Verify},
    sink::{MAX_COPY, OpenSink, Sink},
    source::{OpenSource, Source},
    transfer::{self, Failure, Gauge},
};

/// Copied parts are larger than those that are sent, by this factor: they cost a request and the
/// store's own time, no memory and no bandwidth.
const PART_FACTOR: u64 = 16;
/// After these the bytes are moved instead: the store can't copy, or the sink's key may not read there.
const REFUSALS: [Code; 3] = [Code::PERMISSION_DENIED, Code::UNSUPPORTED, Code::TOO_LARGE];
/// A connector's word for what it has no other word for.
const REFUSED: &str = "refused";

impl<So: OpenSource, Si: OpenSink> Worker<So, Si> {
    /// Has the store copy the object; none where the bytes have to go through here.
    pub(super) async fn copy(
        &mut self,
        task: &mut Task,
        attempt: u32,
        gauge: Gauge<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        let context = Arc::clone(&self.context);
        // Reading back, and checksums that are asked for, need a look at the source's bytes.
        let looks = context.terms.verify == Verify::Reread || !context.terms.also.is_empty();
        if looks || self.copies_refused || task.object.kind != Kind::File {
            return Ok(None);
        }
        let (_, sink) = self.live_instances().await?;
        let Some(size) = task.object.size.filter(|_| sink.copies()) else { return Ok(None) };
        let part_size = copied_part_size(context.transfer.part_size);
        if size > part_size.0.min(MAX_COPY) && context.terms.sink.has("parts") {
            return self.begin_copy(task, attempt, part_size, gauge).await;
        }
        if size > MAX_COPY {
            return Ok(None);
        }
        match transfer::copy(sink, &task.object, &context.terms).await {
            Err(failure) if self.is_no_replacement(&failure) => Ok(Some(Outcome::Skipped(SkipReason::Exists))),
            Err(failure) => self.or_bytes(failure),
            Ok(moved) => Ok(Some(Outcome::Moved(moved))),
        }
    }

    /// Begins an upload whose parts the store copies, and copies the first: a store that refuses does
    /// so before anything is left to others.
    async fn begin_copy(
        &mut self,
        task: &mut Task,
        attempt: u32,
        part_size: ByteSize,
        gauge: Gauge<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        let mut upload = self.open_upload(task, attempt, part_size).await?;
        upload.copied = true;
        let Some(part) = upload.claim() else { return self.share(task, upload, gauge).await.map(Some) };
        match self.try_part(&upload, part, gauge).await {
            Ok(stored) => {
                self.note_part(&upload, &stored);
                // The upload is whole only once it's shared, which closes it then.
                upload.keep_claimed(part, stored);
                self.share(task, upload, gauge).await.map(Some)
            }
            Err(failure) => {
                self.abort(&upload).await;
                self.or_bytes(failure)
            }
        }
    }

    /// None where the store refused to copy; it isn't asked again.
    fn or_bytes(&mut self, failure: Failure) -> Result<Option<Outcome>, Failure> {
        let code = &failure.error.code;
        if !REFUSALS.contains(code) && code.as_str() != REFUSED {
            return Err(failure);
        }
        tracing::info!(error = %failure.error, "the store doesn't copy: the bytes go through the engine");
        self.copies_refused = true;
        Ok(None)
    }

    /// Tells an object whose listing says less than there is; the source's own word counts.
    pub(super) async fn told_more(&mut self, object: &Object) -> Result<Object, Failure> {
        let context = Arc::clone(&self.context);
        if !context.source.has("stat-tells-more") {
            return Ok(object.clone());
        }
        let (source, _) = self.live_instances().await?;
        let told = context.terms.stop.or(source.stat(&object.key)).await?.map_err(Failure::source)?;
        // Whether it's still the object that was listed is found out when it's read.
        let mut object = object.clone();
        object.attributes.extend(told.attributes);
        Ok(object)
    }
}

fn copied_part_size(part_size: ByteSize) -> ByteSize {
    ByteSize(part_size.0.saturating_mul(PART_FACTOR).min(MAX_COPY))
}
