//! Handles: keys into tables, which look like pointers to C so that its compiler tells
//! them apart. They are not addresses: one that was closed, or is of another kind, is
//! found in no table, and a thread that uses what another one closes does no harm.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use punktfunk_client::{Client, Session};

use crate::error::{Failure, PUNKTFUNK_HANDLE, PUNKTFUNK_NULL, PUNKTFUNK_TOO_MANY};
use crate::events::Held;

/// Handles of a kind that may be open: more were forgotten.
const MOST: usize = 4096;

/// A client: who it is. A handle, not an address.
#[derive(Debug)]
pub struct PunktfunkClient;

/// A session that plays. A handle, not an address.
#[derive(Debug)]
pub struct PunktfunkSession;

/// Something that happened in a session. A handle, not an address.
#[derive(Debug)]
pub struct PunktfunkEvent;

/// What a kind of handles stands for.
pub(crate) trait Handle: Sized + 'static {
    type Value: 'static;
    fn table() -> &'static Table<Self::Value>;
}

macro_rules! handle {
    ($handle:ty, $value:ty) => {
        impl Handle for $handle {
            type Value = $value;
            fn table() -> &'static Table<$value> {
                static TABLE: LazyLock<Table<$value>> = LazyLock::new(Table::default);
                &TABLE
            }
        }
    };
}
handle!(PunktfunkClient, Client);
handle!(PunktfunkSession, Session);
handle!(PunktfunkEvent, Held);

/// All open handles of a kind.
pub(crate) struct Table<T>(RwLock<HashMap<usize, Arc<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Table<T> {
    fn room(&self) -> Result<(), Failure> {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).len() < MOST {
            return Ok(());
        }
        Err(Failure::new(PUNKTFUNK_TOO_MANY, "too many handles are open; close those that are done with"))
    }
}

/// Whether there is room for another handle, before something is done for it.
pub(crate) fn room<H: Handle>() -> Result<(), Failure> {
    H::table().room()
}

/// A new handle. No two have the same key, of whatever kind.
pub(crate) fn add<H: Handle>(value: H::Value) -> *mut H {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let mut entries = H::table().0.write().unwrap_or_else(PoisonError::into_inner);
    loop {
        // After four billion handles of a 32-bit machine it begins again.
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        if key != 0 && !entries.contains_key(&key) {
            entries.insert(key, Arc::new(value));
            return std::ptr::without_provenance_mut(key);
        }
    }
}

/// What a handle stands for.
pub(crate) fn at<H: Handle>(handle: *const H) -> Result<Arc<H::Value>, Failure> {
    let entries = H::table().0.read().unwrap_or_else(PoisonError::into_inner);
    entries.get(&handle.addr()).cloned().ok_or_else(|| unknown(handle))
}

/// Closes a handle.
pub(crate) fn remove<H: Handle>(handle: *mut H) -> Result<Arc<H::Value>, Failure> {
    let mut entries = H::table().0.write().unwrap_or_else(PoisonError::into_inner);
    entries.remove(&handle.addr()).ok_or_else(|| unknown(handle))
}

fn unknown<H>(handle: *const H) -> Failure {
    if handle.is_null() {
        return Failure::new(PUNKTFUNK_NULL, "the handle is NULL");
    }
    Failure::new(PUNKTFUNK_HANDLE, "the handle was closed, or is of another kind")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::guard;

    enum Thing {}
    handle!(Thing, &'static str);

    #[test]
    fn a_closed_handle_is_noticed_and_lets_others_finish() {
        let first = add::<Thing>("first");
        let second = add::<Thing>("second");
        let used = at(first.cast_const()).expect("open");
        assert_eq!(*remove(first).expect("open"), "first");
        assert_eq!(*used, "first", "who uses it is not disturbed");
        assert_eq!(guard(|| at(first.cast_const()).map(drop)), PUNKTFUNK_HANDLE);
        assert_eq!(guard(|| remove(first).map(drop)), PUNKTFUNK_HANDLE);
        assert_eq!(*at(second.cast_const()).expect("open"), "second");
        assert_eq!(guard(|| at(second.cast_const().cast::<PunktfunkEvent>()).map(drop)), PUNKTFUNK_HANDLE);
        assert_eq!(guard(|| at(std::ptr::null::<Thing>()).map(drop)), PUNKTFUNK_NULL);
        let mut open = vec![second];
        while room::<Thing>().is_ok() {
            open.push(add("more"));
        }
        assert_eq!(open.len(), MOST);
        open.into_iter().for_each(|handle| drop(remove(handle).expect("open")));
        assert!(room::<Thing>().is_ok());
    }
}
