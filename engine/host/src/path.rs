//! A path below a granted directory: the kernel resolves it and never leaves the directory. Follows
//! no link at the end.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::{Errno, Result},
};

/// A name in an open directory.
pub(crate) struct Place<'a> {
    parent: Parent<'a>,
    pub(crate) name: &'a str,
}

enum Parent<'a> {
    Granted(BorrowedFd<'a>),
    Below(Arc<OwnedFd>),
}

/// Finds places, many of which lie in the same folder: the last one stays open for the next.
#[derive(Default)]
pub(crate) struct Folders {
    last: Option<(String, Arc<OwnedFd>)>,
}

// === impl Place ===

impl<'a> Place<'a> {
    /// Opens the directory that holds the last segment of `path`.
    ///
    /// # Errors
    /// `INVAL` for a path with no name at its end, `XDEV` where it would leave the directory, and
    /// what the kernel says.
    pub(crate) fn find(directory: BorrowedFd<'a>, path: &'a str) -> Result<Self> {
        Folders::default().find(directory, path)
    }

    pub(crate) fn parent(&self) -> BorrowedFd<'_> {
        match &self.parent {
            Parent::Granted(directory) => *directory,
            Parent::Below(directory) => directory.as_fd(),
        }
    }
}

// === impl Folders ===

impl Folders {
    /// As [`Place::find`], always below the same directory.
    ///
    /// # Errors
    /// As those of [`Place::find`].
    pub(crate) fn find<'a>(&mut self, directory: BorrowedFd<'a>, path: &'a str) -> Result<Place<'a>> {
        let (folder, name) = match path.rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, path),
        };
        if matches!(name, "" | "." | "..") || name.contains('\0') {
            return Err(Errno::INVAL);
        }
        let parent = match folder {
            None => Parent::Granted(directory),
            Some(folder) => Parent::Below(self.open(directory, folder)?),
        };
        Ok(Place { parent, name })
    }

    fn open(&mut self, directory: BorrowedFd<'_>, folder: &str) -> Result<Arc<OwnedFd>> {
        if let Some((last, opened)) = &self.last
            && last == folder
        {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(open_below(directory, folder, OFlags::PATH | OFlags::DIRECTORY)?);
        self.last = Some((folder.to_owned(), Arc::clone(&opened)));
        Ok(opened)
    }
}

/// Opens an existing directory or file below `directory`; links on the way may not leave it.
///
/// # Errors
/// What the kernel says; `XDEV` where the path would leave.
pub(crate) fn open_below(directory: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    open_below_with(directory, path, flags, Mode::empty())
}

/// The same for flags that may make a file, with this mode.
///
/// # Errors
/// As [`open_below`].
pub(crate) fn open_below_with(directory: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(directory, path, flags, mode, resolve) {
            // A rename somewhere on the way; the kernel asks to try again.
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Kernels before 5.6, and sandboxes that don't know the call.
            Err(Errno::NOSYS | Errno::PERM) => return open_by_segment(directory, path, flags, mode),
            opened => return opened,
        }
    }
}

/// The same without `openat2`: every segment by itself, and no links at all.
fn open_by_segment(directory: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut segments = path.split('/').peekable();
    let mut current: Option<OwnedFd> = None;
    while let Some(segment) = segments.next() {
        if matches!(segment, "" | "..") {
            return Err(Errno::XDEV);
        }
        let here = current.as_ref().map_or(directory, AsFd::as_fd);
        let (flags, mode) =
            if segments.peek().is_some() { (step, Mode::empty()) } else { (flags | OFlags::NOFOLLOW, mode) };
        current = Some(rustix::fs::openat(here, segment, flags, mode)?);
    }
    current.ok_or(Errno::NOENT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn no_way_leads_out() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(outer.path().join("secret"), "x").unwrap();
        symlink("../..", root.join("a/up")).unwrap();
        symlink(outer.path(), root.join("abs")).unwrap();
        symlink("b", root.join("a/in")).unwrap();
        let directory = fs::File::open(&root).unwrap();
        for open in [open_below_with, open_by_segment] {
            for path in ["..", "a/../../secret", "a/up/secret", "abs/secret", "/etc/passwd"] {
                assert!(open(directory.as_fd(), path, OFlags::PATH, Mode::empty()).is_err(), "{path}");
            }
            assert!(open(directory.as_fd(), "a/b", OFlags::PATH, Mode::empty()).is_ok());
        }
        assert!(open_below(directory.as_fd(), "a/in", OFlags::PATH).is_ok());
        for path in ["", ".", "..", "a/..", "a/", "a/\0"] {
            assert!(Place::find(directory.as_fd(), path).is_err(), "{path:?}");
        }
    }
}
