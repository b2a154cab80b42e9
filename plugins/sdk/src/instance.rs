//! The place where an instance keeps what it was configured with. An instance has one thread, one
//! store and one role for its life: this is neither a registry nor shared between instances.

use std::{cell::RefCell, rc::Rc};

use crate::{error, types::Error};

/// What `configure` made, for every later call. Kept in a `thread_local!`:
///
/// ```
/// use culvert_sdk::instance::Configured;
///
/// struct Store {
///     bucket: String,
/// }
///
/// thread_local! {
///     static STORE: Configured<Store> = const { Configured::new() };
/// }
///
/// STORE.with(|store| store.set(Store { bucket: "archive".into() })).unwrap();
/// assert_eq!(STORE.with(Configured::get).unwrap().bucket, "archive");
/// ```
#[derive(Debug, Default)]
pub struct Configured<T>(RefCell<Option<Rc<T>>>);

// === impl Configured ===

impl<T> Configured<T> {
    /// Nothing is configured yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// # Errors
    /// `internal` if there is a value already: `configure` is called once.
    pub fn set(&self, value: T) -> Result<(), Error> {
        let mut place = self.0.borrow_mut();
        if place.is_some() {
            return Err(error::internal("the connector is configured already"));
        }
        *place = Some(Rc::new(value));
        Ok(())
    }

    /// # Errors
    /// `internal` if `configure` wasn't called, or was called for the other role.
    pub fn get(&self) -> Result<Rc<T>, Error> {
        self.0.borrow().clone().ok_or_else(|| error::internal("the connector isn't configured for this role"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_set_once_and_then_there() {
        let place = Configured::new();
        assert_eq!(place.get().map_err(|error| error.code), Err("internal".to_owned()));
        assert_eq!(place.set(1), Ok(()));
        assert_eq!(place.set(2).map_err(|error| error.code), Err("internal".to_owned()));
        assert_eq!(place.get().map(|value| *value), Ok(1));
    }
}
