//! The server as a sink: files under temporary names, in one piece or part after part, renamed when
//! the server has them; and folders. Never writes to a name that readers look at.

mod publish;
mod put;
mod remove;
mod upload;
mod verify;

use std::rc::Rc;

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    instance::Configured,
    sink::{Guest, Part, Receipt, Replace},
    temporary::Names,
    types::{Checksum, Error, Object},
};

use crate::{Ftp, SINK, session::Session, source};

/// What a sink instance has.
pub(crate) struct Sink {
    session: Rc<Session>,
    names: Names,
}

impl Guest for Ftp {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        refuse_control(&object.key)?;
        match object.kind.as_str() {
            "file" => sink.put_file(object, data, whole, replace).await,
            "directory" => sink.put_directory(object, data, whole).await,
            kind => Err(error::unsupported(format!(
                "{} is a {}, which an FTP server can't be told to make",
                quote(&object.key),
                quote(kind)
            ))),
        }
    }

    async fn begin(object: Object) -> Result<String, Error> {
        refuse_control(&object.key)?;
        Ok(SINK.with(Configured::get)?.begin(&object))
    }

    async fn write_part(upload: String, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.write_part(upload, part, data).await
    }

    async fn commit(
        upload: String,
        object: Object,
        _receipts: Vec<Receipt>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.commit(&upload, &object, replace).await
    }

    async fn abort(upload: String) -> Result<(), Error> {
        let sink = SINK.with(Configured::get)?;
        sink.abort(&upload).await
    }

    async fn sweep(keep: Vec<String>) -> Result<u64, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.sweep(&keep).await
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.session.run(async |control, root| source::stat(control, root, &key).await).await
    }

    async fn delete(key: String) -> Result<(), Error> {
        let sink = SINK.with(Configured::get)?;
        sink.delete(&key).await
    }
}

// === impl Sink ===

impl Sink {
    pub(crate) fn new(session: Rc<Session>, names: Names) -> Self {
        Self { session, names }
    }

    pub(crate) fn session(&self) -> Rc<Session> {
        Rc::clone(&self.session)
    }
}

/// Pure-FTPd stores a control character as an underscore and answers to both names, so it can't be
/// noticed that an object got another one.
fn refuse_control(key: &str) -> Result<(), Error> {
    if key.contains(char::is_control) {
        let message = format!("{} has a control character, which FTP servers may store as another", quote(key));
        return Err(error::invalid_key(message));
    }
    Ok(())
}
