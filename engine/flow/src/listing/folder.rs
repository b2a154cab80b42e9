//! The guard of a folder whose content is being moved: once the last holder of it is gone, the
//! folder is due: its own attributes, and the word that everything in it is done. Puts nothing itself.
//!
//! A directory's time and mode must be the last thing that's written to it: writing into it changes
//! the one and may be forbidden by the other. So every object and folder below holds the guard, and
//! what's open or in flight is all that is in memory.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::object::Object;

/// Takes the directories that are due. Called from wherever the last guard is dropped.
pub(crate) type TakeDue = Arc<dyn Fn(Due) + Send + Sync>;

/// A listed folder with something in it that is moved or has been looked at.
pub(crate) struct Folder {
    /// None once it's due.
    object: Option<Object>,
    parent: Option<Arc<Self>>,
    take_due: TakeDue,
    /// Something below it was selected.
    kept: AtomicBool,
    /// Something below it was written.
    touched: AtomicBool,
    /// What was listed in it and isn't done. What's given up stays in here.
    outstanding: AtomicU64,
    /// It has been listed to its end, and isn't empty.
    listed: AtomicBool,
}

/// A folder whose content nobody works on any more; `parent` is released when the folder's own
/// attributes are put.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) object: Object,
    pub(crate) parent: Option<Arc<Folder>>,
    pub(crate) mark: Mark,
    /// Everything in it was listed and is done.
    pub(crate) whole: bool,
}

/// What a folder above must know of one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Something in it is selected: its own attributes belong to what is moved.
    pub(crate) kept: bool,
    /// Something below it was written in this run.
    pub(crate) touched: bool,
}

// === impl Folder ===

impl Folder {
    pub(crate) fn open(object: Object, parent: Option<Arc<Self>>, take_due: TakeDue) -> Arc<Self> {
        Arc::new(Self {
            object: Some(object),
            parent,
            take_due,
            kept: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            outstanding: AtomicU64::new(0),
            listed: AtomicBool::new(false),
        })
    }

    /// Something in it is selected: the folder belongs to what is moved.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Something in it was written.
    pub(crate) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    /// The same of what an earlier process of the run found in a folder below.
    pub(crate) fn mark(&self, mark: Mark) {
        self.kept.fetch_or(mark.kept, Ordering::Relaxed);
        self.touched.fetch_or(mark.touched, Ordering::Relaxed);
    }

    /// Something in it was listed.
    pub(crate) fn expect(&self) {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
    }

    /// Something that was listed in it is done, and written down.
    pub(crate) fn settle(&self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }

    /// Nothing more will be listed in it.
    pub(crate) fn end(&self) {
        self.listed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let parent = self.parent.take();
        let mark = Mark { kept: *self.kept.get_mut(), touched: *self.touched.get_mut() };
        let whole = *self.listed.get_mut() && *self.outstanding.get_mut() == 0;
        if !mark.kept && !whole {
            return;
        }
        if let Some(parent) = &parent {
            parent.mark(mark);
        }
        (self.take_due)(Due { object, parent, mark, whole });
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Folder").field("object", &self.object).finish_non_exhaustive()
    }
}
