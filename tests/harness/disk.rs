//! Small file systems that fill up or turn read-only. Mounting needs root.

use std::{fs, path::PathBuf};

use nix::{
    mount::{MsFlags, mount, umount},
    sys::statvfs::statvfs,
};

/// A small file system in memory; unmounted when the test ends.
pub(crate) struct Disk(PathBuf);

// === impl Disk ===

impl Disk {
    pub(crate) fn mount(path: PathBuf, bytes: u64) -> Self {
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={bytes}");
        mount(Some("none"), &path, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .expect("mounting a tmpfs needs root, which the system tests run as");
        Self(path)
    }

    /// Bytes that its files take, in whole pages.
    pub(crate) fn used(&self) -> u64 {
        let system = statvfs(&self.0).unwrap();
        (system.blocks() - system.blocks_free()) * system.fragment_size()
    }

    pub(crate) fn resize(&self, bytes: u64) {
        let options = format!("size={bytes}");
        mount(None::<&str>, &self.0, None::<&str>, MsFlags::MS_REMOUNT, Some(options.as_str())).unwrap();
    }

    pub(crate) fn make_read_only(&self) {
        assert!(self.try_make_read_only(), "a file is open for writing");
    }

    /// False while a file of it is open for writing.
    pub(crate) fn try_make_read_only(&self) -> bool {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).is_ok()
    }

    pub(crate) fn make_writable(&self) {
        mount(None::<&str>, &self.0, None::<&str>, MsFlags::MS_REMOUNT, None::<&str>).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        umount(&self.0).unwrap();
    }
}
