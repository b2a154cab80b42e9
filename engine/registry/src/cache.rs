//! What was pulled, kept under its digest: manifests and components. Whoever reads something gets what has
//! that digest, or nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use culvert_manifest::Digest;

use crate::{artifact::digest, error::Error};

/// A folder that this user alone writes to.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

// === impl Cache ===

impl Cache {
    /// In this folder; it's made when something is put there.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.join("sha256") }
    }

    /// None if it isn't there.
    ///
    /// # Errors
    /// It can't be read, or was changed on disk.
    pub fn get(&self, wanted: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(wanted);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::refused(format!("can't read {}: {error}", path.display()))),
        };
        let found = digest(&bytes);
        if found != *wanted {
            let path = path.display();
            return Err(Error::refused(format!(
                "{path} has the digest {found} instead of {wanted}: it was changed on this disk; remove the file, and \
                 the next run pulls the connector again"
            )));
        }
        Ok(Some(bytes))
    }

    /// Whole or not at all, whatever dies when.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = digest(bytes);
        let path = self.path(&digest);
        let failed = |error: io::Error| Error::refused(format!("can't write {}: {error}", path.display()));
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut fresh = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        io::Write::write_all(&mut fresh, bytes).map_err(failed)?;
        fresh.as_file().sync_all().map_err(failed)?;
        fresh.persist(&path).map_err(|error| failed(error.error))?;
        Ok(digest)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_on_disk_is_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        assert_eq!(cache.get(&digest(b"one")).unwrap(), None);
        let one = cache.put(b"one").unwrap();
        assert_eq!(cache.put(b"one").unwrap(), one);
        assert_eq!(cache.get(&one).unwrap().unwrap(), b"one");
        fs::write(cache.path(&one), b"two").unwrap();
        let message = cache.get(&one).unwrap_err().message;
        assert!(message.contains(&one.to_string()) && message.contains(&digest(b"two").to_string()), "{message}");
        cache.put(b"one").unwrap();
        assert_eq!(cache.get(&one).unwrap().unwrap(), b"one");
    }
}
