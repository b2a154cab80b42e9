//! Small files many at a time: the host writes each under a temporary name and renames it, as it does
//! with a single one.

use culvert_sdk::{
    StreamReader, error,
    error::{filesystem, quote},
    instance::Configured,
    posix,
    sink_batch::{Guest, Stored},
    types::{Error, Object},
};

use super::put::failed;
use crate::{Local, SINK, error::check_key};

impl Guest for Local {
    async fn put_batch(
        mut objects: Vec<Object>,
        data: StreamReader<u8>,
        replace: bool,
    ) -> Result<Vec<Result<Stored, Error>>, Error> {
        let sink = SINK.with(Configured::get)?;
        let (mut files, mut whole) = (Vec::with_capacity(objects.len()), Vec::with_capacity(objects.len()));
        for object in &mut objects {
            check_key(&object.key)?;
            if object.kind != "file" {
                return Err(error::unsupported(format!("{} isn't a file: it's put by itself", quote(&object.key))));
            }
            files.push(sink.writing(object, replace)?);
            whole.push(std::mem::take(&mut object.checksums));
        }
        let written = posix::write_files(&sink.root, files, data, whole).await;
        let results = written.map_err(|code| filesystem("write to", &sink.config.path, code))?;
        let stored = |(result, object): (Result<posix::Written, posix::Failure>, &Object)| match result {
            Ok(written) => Ok(Stored { size: written.status.size, checksums: written.checksums }),
            Err(failure) => Err(failed(failure, object, replace)),
        };
        Ok(results.into_iter().zip(&objects).map(stored).collect())
    }
}
