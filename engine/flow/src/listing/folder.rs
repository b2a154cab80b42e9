//! The guard of a folder whose content is being moved: once the last holder of it is gone, the
//! folder's own attributes are due. Puts nothing itself.
//!
//! A directory's time and mode must be the last thing that's written to it: writing into it changes
//! the one and may be forbidden by the other. So every object and folder below holds the guard, and
//! what's open or in flight is all that is in memory.

use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::object::Object;

/// Takes the directories that are due. Called from wherever the last guard is dropped.
pub(crate) type TakeDue = Arc<dyn Fn(Due) + Send + Sync>;

/// A listed folder with something in it that is moved or has been looked at.
pub(crate) struct Folder {
    /// None once it's due, or where nothing is to be put.
    object: Option<Object>,
    parent: Option<Arc<Self>>,
    take_due: TakeDue,
    /// Something below it was selected.
    kept: AtomicBool,
    /// Something below it was written.
    touched: AtomicBool,
}

/// A directory whose content is done; `parent` is released when the directory is.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) object: Object,
    pub(crate) parent: Option<Arc<Folder>>,
    /// Something below it was written in this run.
    pub(crate) touched: bool,
}

// === impl Folder ===

impl Folder {
    pub(crate) fn open(object: Object, parent: Option<Arc<Self>>, take_due: TakeDue) -> Arc<Self> {
        let (kept, touched) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { object: Some(object), parent, take_due, kept, touched })
    }

    /// Something in it is selected: the folder belongs to what is moved.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Something in it was written.
    pub(crate) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let parent = self.parent.take();
        if !mem::take(self.kept.get_mut()) {
            return;
        }
        let touched = *self.touched.get_mut();
        if let Some(parent) = &parent {
            parent.keep();
            if touched {
                parent.touch();
            }
        }
        (self.take_due)(Due { object, parent, touched });
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Folder").field("object", &self.object).finish_non_exhaustive()
    }
}
