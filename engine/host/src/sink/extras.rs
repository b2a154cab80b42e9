//! What a sink may export besides: copies inside its store, and the parts that it holds of an upload.
//! Checks what the guest answers; decides nothing.

use culvert_flow::{
    error::{Code, Error},
    object::{Checksums, Object},
    sink::{Copied, Held, Part, Replace},
};
use wasmtime::component::Accessor;

use super::HostSink;
use crate::{
    bindings::{culvert::connector::types as wit, exports::culvert::connector::copying},
    convert,
    loader::Exports,
    state::State,
};

/// Most parts of an upload.
const MAX_PARTS: usize = 10_000;

// === impl HostSink ===

impl HostSink {
    /// Whether the store can copy objects of a source with this table.
    pub(super) async fn accept(&self, config: String) -> Result<bool, Error> {
        let accepted = self.copying(async move |accessor, copying| copying.call_accept(accessor, config).await);
        accepted.await
    }

    pub(super) async fn copy_object(&self, object: &Object, replace: Replace) -> Result<Copied, Error> {
        let sent = convert::to_wit_object(object);
        let only_new = replace == Replace::Never;
        let copied =
            self.copying(async move |accessor, copying| copying.call_copy(accessor, sent, only_new).await).await;
        let copying::Copied { stored, source } = copied.map_err(|error| error.with_key(&object.key))?;
        let stored = Self::answered(object, stored, "copy")?;
        // They are checked like those of any object.
        let source = wit::Object { checksums: source, ..convert::to_wit_object(object) };
        let source: Checksums = Self::answered(object, source, "copy")?.checksums;
        Ok(Copied { stored, source })
    }

    /// The token of the receipt.
    pub(super) async fn copy_range(&self, upload: &str, object: &Object, part: Part) -> Result<String, Error> {
        let (upload, sent) = (upload.to_owned(), convert::to_wit_object(object));
        let bytes = wit::Range { offset: part.offset, length: Some(part.length) };
        let copied = self.copying(async move |accessor, copying| {
            copying.call_copy_part(accessor, upload, sent, part.number, bytes).await
        });
        copied.await.map_err(|error| error.with_key(&object.key))
    }

    pub(super) async fn parts_held(&self, upload: &str) -> Result<Option<Vec<Held>>, Error> {
        let upload = upload.to_owned();
        let asked = self.instance.call("list-parts", async move |accessor, exports| match &exports.resuming {
            Some(resuming) => Ok(Some(resuming.call_parts(accessor, upload).await?)),
            None => Ok(None),
        });
        let Some(answered) = asked.await? else { return Ok(None) };
        let held = answered.map_err(|error| convert::error(error, "list-parts"))?;
        if held.len() > MAX_PARTS {
            let message = format!("the connector tells of more than {MAX_PARTS} parts");
            return Err(Error::new(Code::PROTOCOL, "list-parts", message));
        }
        Ok(Some(held.into_iter().map(|it| Held { part: it.number, token: it.token }).collect()))
    }

    async fn copying<R: 'static>(
        &self,
        call: impl AsyncFnOnce(&Accessor<State>, &copying::Guest) -> wasmtime::Result<Result<R, wit::Error>> + 'static,
    ) -> Result<R, Error> {
        let called = self.instance.call("copy", async move |accessor: &Accessor<State>, exports: &Exports| {
            match &exports.copying {
                Some(copying) => call(accessor, copying).await,
                None => Err(wasmtime::Error::msg("the connector says that it copies and has no interface for it")),
            }
        });
        called.await?.map_err(|error| convert::error(error, "copy"))
    }
}
