//! Uploads in parts: one temporary file, each part written at its offset, by any instance on any
//! machine that has the token. Keeps no state of its own; what a commit refuses stays for `abort`.

use culvert_sdk::{
    StreamReader,
    error::{self, filesystem, quote},
    posix,
    sink::{Part, Receipt, Replace},
    types::{Error, Object},
    wasi::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
};

use super::{Sink, publish::Temporary};
use crate::{
    attributes,
    error::{upload_gone, writing},
    token::Upload,
};

/// The span of a part, as its receipt's token says it: `<offset>+<length>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    offset: u64,
    length: u64,
}

impl Sink {
    pub(super) async fn begin(&self, object: Object) -> Result<Upload, Error> {
        let key = &object.key;
        let changes = attributes::changes(&object, self.config.owner)?;
        let temporary = self.create(key).await.map_err(|code| writing("create", key, code))?;
        let begun = async {
            let upload = Upload::at(temporary.path.clone())?;
            self.hide(&temporary, key, &changes)?;
            if let Some(size) = object.size {
                let reserved = posix::reserve(&temporary.file, size);
                reserved.map_err(|code| filesystem("make room for", key, code))?;
            }
            if self.config.fsync {
                // The token goes to a journal: after a power cut its file must still have a name.
                self.sync_folder(key).await?;
            }
            Ok(upload)
        }
        .await;
        if begun.is_err() {
            self.discard(&temporary.path).await;
        }
        begun
    }

    /// The host refuses a stream that is shorter or longer than the part, so the length isn't
    /// counted here.
    pub(super) async fn write_part(
        &self,
        upload: &Upload,
        part: Part,
        data: StreamReader<u8>,
    ) -> Result<Receipt, Error> {
        let span = Span { offset: part.offset, length: part.length };
        span.end()?;
        let file = self.open(upload, DescriptorFlags::WRITE).await?.file;
        let path = upload.path();
        let written = file.write_via_stream(data, part.offset).await;
        written.map_err(|code| filesystem("write a part of", path, code))?;
        if self.config.fsync {
            file.sync_data().await.map_err(|code| filesystem("sync a part of", path, code))?;
        }
        Ok(Receipt { part: part.number, token: span.token() })
    }

    pub(super) async fn commit(
        &self,
        upload: Upload,
        object: Object,
        receipts: &[Receipt],
        replace: Replace,
    ) -> Result<Object, Error> {
        if !upload.is_beside(&object.key) {
            let (upload, key) = (quote(upload.path()), quote(&object.key));
            return Err(error::protocol(format!("{upload} is an upload to another folder than that of {key}")));
        }
        let covered = covered(receipts)?;
        if let Some(size) = object.size.filter(|size| *size != covered) {
            let key = quote(&object.key);
            return Err(error::truncated(format!("{key} has {size} bytes, but its parts have {covered}")));
        }
        let changes = attributes::changes(&object, self.config.owner)?;
        let temporary = self.open(&upload, DescriptorFlags::READ | DescriptorFlags::WRITE).await?;
        let stored = self.verify(&temporary, &object.key, Some(covered), &object.checksums).await?;
        self.publish(&temporary, object.key, changes, replace, stored).await
    }

    async fn open(&self, upload: &Upload, access: DescriptorFlags) -> Result<Temporary, Error> {
        let path = upload.path().to_owned();
        match self.root.open_at(PathFlags::empty(), path.clone(), OpenFlags::empty(), access).await {
            Ok(file) => Ok(Temporary { path, file }),
            Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => Err(upload_gone(upload.path())),
            Err(code) => Err(filesystem("open the upload", upload.path(), code)),
        }
    }
}

/// How many bytes from the object's first the parts cover. A hole would read as zeros, in a file of
/// the right size: it's refused, whatever the engine says.
fn covered(receipts: &[Receipt]) -> Result<u64, Error> {
    let mut spans = receipts.iter().map(Span::parse).collect::<Result<Vec<_>, _>>()?;
    spans.sort_unstable();
    spans.into_iter().try_fold(0, |end, span| {
        if span.offset == end {
            span.end()
        } else {
            Err(error::protocol(format!("a part begins at byte {}, the parts before it end at {end}", span.offset)))
        }
    })
}

// === impl Span ===

impl Span {
    fn parse(receipt: &Receipt) -> Result<Self, Error> {
        let span = receipt
            .token
            .split_once('+')
            .and_then(|(offset, length)| Some(Self { offset: offset.parse().ok()?, length: length.parse().ok()? }));
        span.ok_or_else(|| error::protocol(format!("the token of part {} isn't one of a local folder", receipt.part)))
    }

    fn token(self) -> String {
        format!("{}+{}", self.offset, self.length)
    }

    fn end(self) -> Result<u64, Error> {
        self.offset
            .checked_add(self.length)
            .ok_or_else(|| error::protocol("a part ends behind the largest offset there is"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(part: u32, token: &str) -> Receipt {
        Receipt { part, token: token.to_owned() }
    }

    #[test]
    fn a_token_comes_back_as_it_went() {
        let span = Span { offset: 7, length: u64::MAX - 7 };
        assert_eq!(Span::parse(&receipt(1, &span.token())), Ok(span));
    }

    #[test]
    fn parts_in_any_order_cover_the_object() {
        assert_eq!(covered(&[]), Ok(0));
        assert_eq!(covered(&[receipt(1, "0+0")]), Ok(0));
        assert_eq!(covered(&[receipt(3, "20+5"), receipt(1, "0+10"), receipt(2, "10+10")]), Ok(25));
    }

    #[test]
    fn holes_overlaps_and_nonsense_are_refused() {
        for tokens in [
            &["1+1"][..],
            &["0+10", "11+1"],
            &["0+10", "9+1"],
            &["0+10", "0+10"],
            &["ok"],
            &["0+"],
            &["-1+1"],
            &["0+18446744073709551616"],
            &["0+1", "1+18446744073709551615"],
        ] {
            let receipts: Vec<_> = tokens.iter().map(|token| receipt(1, token)).collect();
            let code = covered(&receipts).map_err(|error| error.code);
            assert_eq!(code, Err("protocol".to_owned()), "{tokens:?}");
        }
    }
}
