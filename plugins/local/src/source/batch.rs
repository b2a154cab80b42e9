//! Small files many at a time: the host reads them one behind the other and holds each against the
//! version with which it was listed.

use culvert_sdk::{
    FutureReader, StreamReader,
    instance::Configured,
    posix,
    source_batch::{Guest, Wanted},
    types::Error,
};

use crate::{
    Local, SOURCE, attributes,
    config::Symlinks,
    error::{changed, check_key},
};

impl Guest for Local {
    async fn read_batch(objects: Vec<Wanted>) -> Result<(StreamReader<u8>, FutureReader<Result<(), Error>>), Error> {
        let source = SOURCE.with(Configured::get)?;
        let known = |Wanted { key, size, version }| {
            check_key(&key)?;
            let refused = changed(&key);
            attributes::known(key, &version).filter(|file| file.size == size).ok_or(refused)
        };
        let files = objects.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let follow = source.config.symlinks == Symlinks::Follow;
        Ok(posix::read_files(&source.root, &files, follow))
    }
}
