//! The folder as a source.

use culvert_sdk::{folder, posix, prelude::*, temporary::is_temporary, wasi::filesystem::types::Descriptor};

/// The `[source]` table. The folder itself comes as a grant.
#[derive(serde::Deserialize)]
pub struct Config {}

pub struct Files(Descriptor);

impl Source for Files {
    type Config = Config;
    const SCHEMA: &str = include_str!("source.json");

    fn open(_: Config) -> Result<Self, Error> {
        folder::granted().map(Self)
    }

    async fn check(&self) -> Result<(), Error> {
        folder::check(&self.0).await
    }

    async fn list(&self, folder: &str, _: Option<&str>, entries: &mut Entries) -> Result<(), Error> {
        let (mut names, done) = posix::list_directory(&self.0, folder::path(folder));
        while let Some(name) = names.next().await {
            if !is_temporary(&name.name) {
                entries.push(folder::entry(folder, name)).await?;
            }
        }
        done.await.map_err(|code| filesystem("list", folder, code))
    }

    async fn stat(&self, key: &str) -> Result<Object, Error> {
        folder::stat(&self.0, key)
    }

    async fn read(&self, key: &str, range: Range, version: Option<&str>) -> Result<Reading, Error> {
        let opened = posix::read_file(&self.0, key, false, range.offset);
        let (status, data, outcome) = opened.map_err(|code| filesystem("open", key, code))?;
        let object = folder::object(key, &status);
        if version.is_some() && version != object.version.as_deref() {
            return Err(error::changed(format!("{} isn't what it was", quote(key))));
        }
        Ok(Reading { object, data, outcome })
    }
}
