//! Uploads in parts: one temporary file, written from its start to its end, each part with a `STOR`
//! behind `REST`. That begins where the part belongs on every server, but Pure-FTPd cuts the file off
//! there, so parts must come in order. The token is the temporary file's key: any later run goes on.

use culvert_sdk::{
    StreamReader,
    error::{self, quote},
    key::name,
    sink::{Part, Receipt, Replace},
    types::{Error, Object},
};

use super::{
    Sink,
    put::{begin_file, lost},
};
use crate::{
    control::{Command, Control, Data},
    error::refused,
    path::Root,
};

impl Sink {
    /// Reaches no server: the first part makes the file.
    pub(super) fn begin(&self, object: &Object) -> String {
        self.names.beside(&object.key)
    }

    pub(super) async fn write_part(
        &self,
        upload: String,
        part: Part,
        data: StreamReader<u8>,
    ) -> Result<Receipt, Error> {
        self.own(&upload)?;
        let begun = self.session.with(async |control, root| begin_part(control, root, &upload, part).await);
        let (begun, mut held) = begun.await?;
        let path = held.root.path(&upload)?;
        let Some(control) = held.control() else { return Err(lost(&upload)) };
        let sent = begun.socket.send(data).await;
        drop(begun);
        let reply = control.reply().await?;
        if !reply.is_done() {
            return Err(refused("write a part of", &upload, &reply));
        }
        sent?;
        // Servers call a transfer complete that was cut short.
        let has = size(control, &path).await?.unwrap_or(0);
        let end = part.offset + part.length;
        if has < end {
            return Err(error::truncated(format!("the server has {has} bytes of a file of which {end} were sent")));
        }
        Ok(Receipt { part: part.number, token: String::new() })
    }

    pub(super) async fn commit(&self, upload: &str, object: &Object, replace: Replace) -> Result<Object, Error> {
        self.own(upload)?;
        let committed = self
            .session
            .run(async |control, root| self.publish(control, root, upload, object, &object.checksums, replace).await);
        committed.await
    }

    pub(super) async fn abort(&self, upload: &str) -> Result<(), Error> {
        self.own(upload)?;
        self.delete(upload).await
    }

    /// A token comes from a journal; nothing but this pipeline's temporary files is touched for one.
    fn own(&self, upload: &str) -> Result<(), Error> {
        if self.names.is_own(name(upload)) {
            return Ok(());
        }
        Err(error::not_found(format!("{} is no upload of this pipeline", quote(upload))))
    }
}

/// A data connection behind what the server has already.
async fn begin_part(control: &mut Control, root: &Root, upload: &str, part: Part) -> Result<Data, Error> {
    if part.offset == 0 {
        return begin_file(control, root, upload, upload).await;
    }
    let path = root.path(upload)?;
    let passive = control.passive();
    control.send(&[Command::with("SIZE", &path)?, passive]).await?;
    let (size, passive) = (control.reply().await?, control.reply().await?);
    let socket = control.connect_data(passive).await?;
    let has = (size.code == 213).then(|| size.text().parse().ok()).flatten().unwrap_or(0_u64);
    if has < part.offset {
        // Beyond the end some servers would fill the gap with zeros. What is left is of no use.
        control.ask(Command::with("DELE", &path)?).await?;
        return Err(error::not_found(format!(
            "the server has {has} bytes of an upload that goes on at {}: it starts over",
            part.offset
        )));
    }
    let commands = [Command::with("REST", part.offset.to_string().as_bytes())?, Command::with("STOR", &path)?];
    match control.begin_data(socket, &commands).await? {
        Ok(data) => Ok(data),
        Err(reply) => Err(refused("go on with", upload, &reply)),
    }
}

async fn size(control: &mut Control, path: &[u8]) -> Result<Option<u64>, Error> {
    let reply = control.ask(Command::with("SIZE", path)?).await?;
    Ok(if reply.code == 213 { reply.text().parse().ok() } else { None })
}
