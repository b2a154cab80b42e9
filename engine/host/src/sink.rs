//! `flow::Sink` over a connector: chunks go in as a stream that the host takes back when the guest
//! passes it on to a file. Checks what the guest answers; decides nothing.

mod extras;

use std::sync::Arc;

use culvert_flow::{
    body::{BodyReader, Chunks},
    error::{Code, Error},
    object::{Key, Object},
    sink::{Copied, Held, Packed, Part, Receipt, Replace, Sink, Stored},
};
use wasmtime::component::{Accessor, FutureReader, StreamReader};

use crate::{
    bindings::{
        culvert::connector::types as wit,
        exports::culvert::connector::{sink as wit_sink, sink_batch as wit_batch},
    },
    convert,
    files::{Feed, await_end, shared},
    instance::Instance,
    loader::Exports,
    progress::Progress,
    state::State,
};

/// Longest upload token in bytes.
const MAX_UPLOAD_BYTES: usize = 4096;
/// Longest receipt in bytes.
const MAX_RECEIPT_BYTES: usize = 1024;

/// One instance of a sink connector.
pub struct HostSink {
    instance: Instance,
    /// It takes this run's source.
    copies: bool,
}

// === impl HostSink ===

impl HostSink {
    /// `copies_from`: the table of a source in the same store, perhaps.
    ///
    /// # Errors
    /// The connector failed to say whether it takes it.
    pub(crate) async fn new(instance: Instance, copies_from: Option<String>) -> Result<Self, Error> {
        let mut sink = Self { instance, copies: false };
        if let Some(config) = copies_from {
            sink.copies = sink.accept(config).await?;
        }
        Ok(sink)
    }

    /// One call of the sink interface; with `fed`, of one that takes a body.
    async fn call<R: 'static>(
        &self,
        operation: &'static str,
        key: Option<&Key>,
        fed: Option<&Progress>,
        call: impl AsyncFnOnce(&Accessor<State>, &wit_sink::Guest) -> wasmtime::Result<Result<R, wit::Error>> + 'static,
    ) -> Result<R, Error> {
        let call = async move |accessor: &Accessor<State>, exports: &Exports| match &exports.sink {
            Some(sink) => call(accessor, sink).await,
            None => Err(wasmtime::Error::msg("the connector isn't a sink")),
        };
        let called = match fed {
            Some(progress) => self.instance.call_fed(operation, progress, call).await,
            None => self.instance.call(operation, call).await,
        };
        let keyed = |error: Error| match key {
            Some(key) => error.with_key(key),
            None => error,
        };
        called.map_err(keyed)?.map_err(|error| keyed(convert::error(error, operation)))
    }

    fn answered(object: &Object, stored: wit::Object, operation: &'static str) -> Result<Object, Error> {
        let stored = convert::object(stored, operation).map_err(|error| error.with_key(&object.key))?;
        if stored.key == object.key {
            return Ok(stored);
        }
        Err(Error::new(Code::PROTOCOL, operation, "the connector stored another object").with_key(&object.key))
    }
}

impl Sink for HostSink {
    fn copies(&self) -> bool {
        self.copies
    }

    async fn copy(&mut self, object: &Object, replace: Replace) -> Result<Copied, Error> {
        self.copy_object(object, replace).await
    }

    async fn copy_part(&mut self, upload: &str, object: &Object, part: Part) -> Result<Receipt, Error> {
        let token = self.copy_range(upload, object, part).await?;
        Ok(Receipt { part: part.number, token: checked_receipt(token, "copy")? })
    }

    async fn held_parts(&mut self, upload: &str) -> Result<Option<Vec<Held>>, Error> {
        self.parts_held(upload).await
    }

    async fn sweep(&mut self, keep: &[String]) -> Result<u64, Error> {
        let keep = keep.to_vec();
        let swept = self.call("sweep", None, None, async move |accessor, sink| sink.call_sweep(accessor, keep).await);
        swept.await
    }

    async fn put(&mut self, object: &Object, body: BodyReader, replace: Replace) -> Result<Object, Error> {
        let sent = convert::to_wit_object(object);
        let BodyReader { chunks, end } = body;
        let progress = Arc::new(Progress::default());
        let watched = Arc::clone(&progress);
        let stored = self.call("put", Some(&object.key), Some(&progress), async move |accessor, sink| {
            let (data, whole) = accessor.with(|mut access| {
                let end = shared(end);
                let feed = Feed::new(chunks, Some(end.clone()), Arc::clone(&watched));
                let whole = async move {
                    wasmtime::error::Ok(match await_end(end, &watched).await {
                        Ok(checksums) => Ok(convert::to_wit_checksums(&checksums)),
                        Err(error) => Err(convert::to_wit_error(&error)),
                    })
                };
                let data = StreamReader::new(&mut access, feed)?;
                wasmtime::error::Ok((data, FutureReader::new(&mut access, whole)?))
            })?;
            sink.call_put(accessor, sent, data, whole, to_wit_replace(replace)).await
        });
        Self::answered(object, stored.await?, "put")
    }

    async fn put_batch(
        &mut self,
        objects: &[Packed<'_>],
        chunks: Chunks,
        replace: Replace,
    ) -> Result<Vec<Result<Stored, Error>>, Error> {
        let pack = |packed: &Packed<'_>| wit::Object {
            checksums: convert::to_wit_checksums(packed.checksums),
            ..convert::to_wit_object(packed.object)
        };
        let sent: Vec<_> = objects.iter().map(pack).collect();
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let called = self.instance.call_fed("put-batch", &progress, async move |accessor, exports: &Exports| {
            let Some(sink) = &exports.sink_batch else {
                return Err(wasmtime::Error::msg("the connector takes no batches"));
            };
            let data = accessor.with(|access| StreamReader::new(access, Feed::new(chunks, None, shared)))?;
            sink.call_put_batch(accessor, sent, data, replace == Replace::Always).await
        });
        let results = called.await?.map_err(|error| convert::error(error, "put-batch"))?;
        let judge = |result: Result<wit_batch::Stored, wit::Error>| match result {
            Ok(wit_batch::Stored { size, checksums }) => {
                convert::checksums(checksums, "put-batch").map(|checksums| Stored { size, checksums })
            }
            Err(error) => Err(convert::error(error, "put-batch")),
        };
        Ok(results.into_iter().map(judge).collect())
    }

    async fn begin(&mut self, object: &Object) -> Result<String, Error> {
        let sent = convert::to_wit_object(object);
        let begun = self
            .call("begin", Some(&object.key), None, async move |accessor, sink| sink.call_begin(accessor, sent).await);
        let upload = begun.await?;
        if upload.len() > MAX_UPLOAD_BYTES {
            let message = format!("the upload token has more than {MAX_UPLOAD_BYTES} bytes");
            return Err(Error::new(Code::PROTOCOL, "begin", message).with_key(&object.key));
        }
        Ok(upload)
    }

    async fn write_part(&mut self, upload: &str, part: Part, chunks: Chunks) -> Result<Receipt, Error> {
        let upload = upload.to_owned();
        let taken = chunks.bytes_taken();
        let sent = wit_sink::Part { number: part.number, offset: part.offset, length: part.length };
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let written = self.call("write-part", None, Some(&progress), async move |accessor, sink| {
            let data = accessor.with(|access| StreamReader::new(access, Feed::new(chunks, None, shared)))?;
            sink.call_write_part(accessor, upload, sent, data).await
        });
        let answered = written.await;
        // Not every store counts what it's given, and one that does may only say that its connection broke.
        let lost = matches!(&answered, Err(error) if error.instance_lost);
        if !lost && (taken.count() > part.length || (taken.is_all() && taken.count() < part.length)) {
            let message = format!("the part has {} bytes instead of {}", taken.count(), part.length);
            return Err(Error::new(Code::TRUNCATED, "write-part", message));
        }
        let receipt = answered?;
        if receipt.part != part.number {
            return Err(Error::new(Code::PROTOCOL, "write-part", "the receipt is for another part"));
        }
        Ok(Receipt { part: receipt.part, token: checked_receipt(receipt.token, "write-part")? })
    }

    async fn commit(
        &mut self,
        upload: &str,
        object: &Object,
        receipts: &[Receipt],
        replace: Replace,
    ) -> Result<Object, Error> {
        let (upload, sent) = (upload.to_owned(), convert::to_wit_object(object));
        let receipts = receipts
            .iter()
            .map(|receipt| wit_sink::Receipt { part: receipt.part, token: receipt.token.clone() })
            .collect();
        let committed = self.call("commit", Some(&object.key), None, async move |accessor, sink| {
            sink.call_commit(accessor, upload, sent, receipts, to_wit_replace(replace)).await
        });
        Self::answered(object, committed.await?, "commit")
    }

    async fn abort(&mut self, upload: &str) -> Result<(), Error> {
        let upload = upload.to_owned();
        let aborted =
            self.call("abort", None, None, async move |accessor, sink| sink.call_abort(accessor, upload).await);
        aborted.await
    }

    async fn stat(&mut self, key: &Key) -> Result<Object, Error> {
        let asked = key.as_str().to_owned();
        let found =
            self.call("stat", Some(key), None, async move |accessor, sink| sink.call_stat(accessor, asked).await);
        let found = convert::object(found.await?, "stat").map_err(|error| error.with_key(key))?;
        if found.key == *key {
            return Ok(found);
        }
        Err(Error::new(Code::PROTOCOL, "stat", "the connector answered about another object").with_key(key))
    }

    async fn delete(&mut self, key: &Key) -> Result<(), Error> {
        let asked = key.as_str().to_owned();
        let deleted =
            self.call("delete", Some(key), None, async move |accessor, sink| sink.call_delete(accessor, asked).await);
        deleted.await
    }
}

fn checked_receipt(token: String, operation: &'static str) -> Result<String, Error> {
    if token.len() > MAX_RECEIPT_BYTES {
        let message = format!("the receipt has more than {MAX_RECEIPT_BYTES} bytes");
        return Err(Error::new(Code::PROTOCOL, operation, message));
    }
    Ok(token)
}

fn to_wit_replace(replace: Replace) -> wit_sink::Replace {
    match replace {
        Replace::Always => wit_sink::Replace::Always,
        Replace::Never => wit_sink::Replace::Never,
    }
}
