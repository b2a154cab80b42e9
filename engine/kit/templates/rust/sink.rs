//! The folder as a sink.

use culvert_sdk::{
    folder,
    posix::{self, Changes, Writing},
    prelude::*,
    temporary::Names,
    wasi::filesystem::types::Descriptor,
};

/// The `[sink]` table. The folder itself comes as a grant.
#[derive(serde::Deserialize)]
pub struct Config {}

pub struct Files(Descriptor, Names);

impl Sink for Files {
    type Config = Config;
    const SCHEMA: &str = include_str!("sink.json");

    fn open(_: Config, owner: &str) -> Result<Self, Error> {
        Ok(Self(folder::granted()?, Names::new(owner)?))
    }

    async fn check(&self) -> Result<(), Error> {
        folder::check(&self.0).await
    }

    async fn put(&self, object: Object, data: StreamReader<u8>, whole: Whole, replace: Replace) -> Result<Object, Error> {
        if object.kind != "file" {
            return Err(error::unsupported(format!("{} isn't a file", quote(&object.key))));
        }
        let writing = Writing {
            temporary: self.1.beside(&object.key),
            path: object.key.clone(),
            size: object.size,
            changes: Changes { mode: None, uid: None, gid: None, modified: object.modified },
            checksum: Some("crc64-nvme".to_owned()),
            sync: true,
            replace: replace == Replace::Always,
        };
        let written = posix::write_file(&self.0, writing, data, whole).await;
        let written = written.map_err(|failure| folder::unwritten(&object.key, failure))?;
        Ok(Object { checksums: written.checksums, ..folder::object(&object.key, &written.status) })
    }

    async fn stat(&self, key: &str) -> Result<Object, Error> {
        folder::stat(&self.0, key)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        folder::delete(&self.0, key).await
    }

    async fn sweep(&self, keep: Vec<String>) -> Result<u64, Error> {
        folder::sweep(&self.0, &self.1, &keep).await
    }
}
