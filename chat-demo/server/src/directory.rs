//! Shared values by name that live as long as they are claimed.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Creates a value when its name is first claimed, and removes it when the last claim is dropped.
/// Claims are counted under the lock of the lookup, so no claim can find a removed value.
pub(crate) struct Directory<T> {
    entries: Mutex<HashMap<Arc<str>, Entry<T>>>,
}

struct Entry<T> {
    thing: Arc<T>,
    claims: usize,
}

/// Keeps a thing in its directory until dropped.
pub(crate) struct Claim<T> {
    directory: Arc<Directory<T>>,
    name: Arc<str>,
}

impl<T> Directory<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::default(),
        }
    }

    /// The thing of that name, made by `make` if there is none.
    pub(crate) fn claim(
        self: &Arc<Self>,
        name: &str,
        make: impl FnOnce(Arc<str>) -> T,
    ) -> (Arc<T>, Claim<T>) {
        let mut entries = self.entries.lock();
        let name = match entries.get_key_value(name) {
            Some((name, _)) => name.clone(),
            None => Arc::from(name),
        };
        let entry = entries.entry(name.clone()).or_insert_with(|| Entry {
            thing: Arc::new(make(name.clone())),
            claims: 0,
        });
        entry.claims += 1;
        let directory = self.clone();
        (entry.thing.clone(), Claim { directory, name })
    }

    /// Returns the thing of that name, if it is claimed. Claims nothing.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        let entries = self.entries.lock();
        entries.get(name).map(|entry| entry.thing.clone())
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let entries = self.entries.lock();
        entries.values().map(|entry| entry.thing.clone()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().len()
    }
}

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        let mut entries = self.directory.entries.lock();
        let Some(entry) = entries.get_mut(&self.name) else {
            return;
        };
        entry.claims -= 1;
        if entry.claims == 0 {
            let last = entries.remove(&self.name);
            drop(entries);
            // What the thing frees may claim and release in turn: not under the lock.
            drop(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_lives_from_its_first_claim_to_its_last() {
        let directory = Arc::new(Directory::new());
        let (first, one) = directory.claim("a", |name| name.to_string());
        let (second, two) = directory.claim("a", |_| unreachable!("it exists"));
        assert!(Arc::ptr_eq(&first, &second));
        drop(one);
        assert_eq!(directory.len(), 1);
        drop(two);
        assert_eq!(directory.len(), 0);
        let (again, _claim) = directory.claim("a", |name| name.to_string());
        assert!(!Arc::ptr_eq(&first, &again), "a new life, a new thing");
    }

    #[test]
    fn claims_from_many_threads_meet_one_thing_at_a_time() {
        let directory = Arc::new(Directory::new());
        let live = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let (thing, claim) = directory.claim("a", |_| Mutex::new(0_usize));
                        *thing.lock() += 1;
                        drop(claim);
                    }
                    live.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                });
            }
        });
        assert_eq!(live.into_inner(), 4);
        assert_eq!(directory.len(), 0);
    }
}
