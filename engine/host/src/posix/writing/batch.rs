//! `posix.write-files`: whole small files in one call, each from its temporary name to its own, with
//! a result of its own. Takes no bytes but the engine's, all of which are there before the first file
//! is made.

use std::os::{
    fd::{AsFd, BorrowedFd},
    unix::fs::FileExt,
};

use bytes::{Bytes, BytesMut};
use culvert_flow::body::{Chunk, MAX_CHUNK_BYTES};
use wasmtime::component::{Accessor, Resource, StreamReader};
use wasmtime_wasi::{filesystem::Descriptor, p3::bindings::filesystem::types::ErrorCode};

use super::{Temporary, name_of, refused};
use crate::{
    bindings::culvert::connector::{
        posix::{Failure, Step, Writing, Written},
        types::Checksum,
    },
    files::{Feed, error_code, read_chunk},
    path::Folders,
    posix::{Answer, Posix},
    state::State,
};

pub(in crate::posix) async fn write_files(
    accessor: &Accessor<State, Posix>,
    directory: Resource<Descriptor>,
    files: Vec<Writing>,
    mut data: StreamReader<u8>,
    whole: Vec<Vec<Checksum>>,
) -> Answer<Vec<Result<Written, Failure>>> {
    let directory = accessor.with(|mut access| access.get().opened(&directory))?;
    let feed = accessor.with(|mut access| match data.try_into::<Feed>(&mut access) {
        Ok(feed) => wasmtime::error::Ok(Some(feed)),
        Err(other) => {
            data = other;
            data.close(&mut access)?;
            Ok(None)
        }
    })?;
    // The body of a `put` isn't known to be whole before its own end says so.
    let Some(mut feed) = feed.filter(|feed| !feed.has_end()) else { return Ok(Err(ErrorCode::Unsupported)) };
    if !directory.writable {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    if whole.len() != files.len() {
        return Ok(Err(ErrorCode::Invalid));
    }
    let mut bytes = match collect(&mut feed).await {
        Ok(bytes) => bytes,
        Err(code) => return Ok(Err(code)),
    };
    drop(feed);
    let mut folders = Folders::default();
    let mut results = Vec::with_capacity(files.len());
    for (writing, whole) in files.iter().zip(&whole) {
        let size = writing.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let content = bytes.split_to(size.min(bytes.len()));
        results.push(write(directory.file.as_fd(), &mut folders, writing, &content, whole).await);
        if writing.sync {
            // A disk takes its time: a run that's stopped needn't wait for all of them.
            tokio::task::yield_now().await;
        }
    }
    Ok(Ok(results))
}

/// All the bytes of a batch: mostly they come as one chunk.
async fn collect(feed: &mut Feed) -> Result<Bytes, ErrorCode> {
    let mut all = Bytes::new();
    while let Some(chunk) = std::future::poll_fn(|context| feed.poll_next(context)).await {
        let bytes = match chunk {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Extent(extent) => {
                read_chunk(&extent.file, extent.offset, extent.length).map_err(|error| error_code(&error))?
            }
        };
        if all.len() + bytes.len() > MAX_CHUNK_BYTES {
            return Err(ErrorCode::FileTooLarge);
        }
        all = if all.is_empty() {
            bytes
        } else {
            let mut both = BytesMut::from(&all[..]);
            both.extend_from_slice(&bytes);
            both.freeze()
        };
    }
    Ok(all)
}

async fn write(
    directory: BorrowedFd<'_>,
    folders: &mut Folders,
    writing: &Writing,
    content: &[u8],
    whole: &[Checksum],
) -> Result<Written, Failure> {
    let name = name_of(writing).map_err(|code| Failure::Refused((Step::Create, code)))?;
    let temporary = refused(Step::Create, Temporary::create(directory, folders, writing))?;
    let length = content.len() as u64;
    if writing.size != Some(length) {
        return Err(Failure::Length(length));
    }
    let written = temporary.file.write_all_at(content, 0);
    written.map_err(|error| Failure::Refused((Step::Write, error_code(&error))))?;
    temporary.finish(name, writing, length, whole).await
}
