//! Strands by key.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

use crate::engine::Gate;
use crate::pool::Pool;
use crate::strand::handle::Strand;
use crate::sync::{Arc, MIN_CALLS, Mutex};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Strands by key: tasks with the same key run one at a time and in order, tasks with different
/// keys in parallel.
///
/// The first use of a key creates its strand. A strand is unneeded when it has no handle and no
/// tasks. It is then removed, and the next use of its key creates a new one.
///
/// [`strand`](Self::strand) searches for unneeded strands, once in as many calls as there are
/// strands, and at least 64. So there are at most twice as many strands as were in use at the last
/// search, or 64 more.
///
/// The key's `Hash` and `Clone` run outside the lock of the map and may use the map. Its `Eq` runs
/// under the lock, and deadlocks if it uses the map.
///
/// A clone is another handle of the same strands. `Strands` do not keep their pool open.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let accounts = pool.strands::<String>();
/// for (owner, amount) in [("ann", 100), ("bob", 50), ("ann", -30)] {
///     // One at a time for each owner.
///     accounts.strand(owner).submit(move || println!("{owner}: {amount}"))?;
/// }
/// pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
pub struct Strands<K> {
    gate: Gate,
    hasher: RandomState,
    map: Arc<Mutex<Map<K>>>,
}

struct Map<K> {
    /// Keyed by the key's hash, so that the map never calls `Hash`. A panic there could lose
    /// strands.
    strands: HashMap<u64, Vec<(K, Strand)>>,
    len: usize,
    /// Calls of `strand` left until the next search for unneeded strands.
    calls: usize,
}

impl<K: Eq> Map<K> {
    fn get<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<Strand>
    where
        K: Borrow<Q>,
    {
        let same_hash = self.strands.get(&hash)?;
        let mut found = same_hash.iter().filter(|(other, _)| other.borrow() == key);
        found.next().map(|(_, strand)| strand.clone())
    }

    fn insert(&mut self, hash: u64, key: K, strand: Strand) {
        // Hash collisions are rare.
        let same_hash = self
            .strands
            .entry(hash)
            .or_insert_with(|| Vec::with_capacity(1));
        same_hash.push((key, strand));
        self.len += 1;
    }

    /// Counts a call of `strand`. Returns unneeded strands, to be dropped outside the lock: the
    /// drop of a key may use the map.
    fn count_call(&mut self) -> Vec<(K, Strand)> {
        let mut unneeded = Vec::new();
        self.calls = self.calls.saturating_sub(1);
        if self.calls > 0 {
            return unneeded;
        }
        self.strands.retain(|_, same_hash| {
            let is_needed = |entry: &(K, Strand)| !entry.1.is_forgotten();
            if !same_hash.iter().all(is_needed) {
                let (needed, others) = std::mem::take(same_hash).into_iter().partition(is_needed);
                *same_hash = needed;
                unneeded.extend::<Vec<_>>(others);
            }
            !same_hash.is_empty()
        });
        self.len -= unneeded.len();
        self.calls = MIN_CALLS.max(self.len);
        unneeded
    }
}

impl Pool {
    /// Returns a map of strands by key. Their tasks take their slots from this pool or subpool.
    /// Never blocks.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let rooms = pool.strands::<u32>();
    /// rooms.strand(&7).submit(|| println!("a message for room 7"))?;
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn strands<K: Eq + Hash>(&self) -> Strands<K> {
        let map = Map {
            strands: HashMap::new(),
            len: 0,
            calls: MIN_CALLS,
        };
        Strands {
            gate: self.gate().clone(),
            hasher: RandomState::new(),
            map: Arc::new(Mutex::new(map)),
        }
    }
}

impl<K: Eq + Hash> Strands<K> {
    /// Returns the strand of a key, and creates it if there is none. All calls return the same
    /// strand as long as it has a handle or tasks. Waits only for the lock of the map.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let (sent, seen) = std::sync::mpsc::channel();
    /// let accounts = pool.strands::<String>();
    /// for n in 0..3 {
    ///     let sent = sent.clone();
    ///     accounts.strand("ann").submit(move || sent.send(n).unwrap())?;
    /// }
    /// assert_eq!(seen.iter().take(3).collect::<Vec<_>>(), [0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn strand<Q>(&self, key: &Q) -> Strand
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut map = self.map.lock();
        let unneeded = map.count_call();
        let found = map.get(hash, key);
        drop(map);
        drop(unneeded);
        found.unwrap_or_else(|| self.add(hash, key.to_owned()))
    }

    /// Adds a strand for the key, unless another thread has added one since.
    fn add(&self, hash: u64, key: K) -> Strand {
        let mut map = self.map.lock();
        if let Some(strand) = map.get(hash, &key) {
            drop(map);
            return strand;
        }
        let strand = Strand::new(self.gate.clone());
        map.insert(hash, key, strand.clone());
        strand
    }

    /// Returns the number of strands, including unneeded ones that are not removed yet.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let accounts = pool.strands::<String>();
    /// let (ann, bob) = (accounts.strand("ann"), accounts.strand("bob"));
    /// let ann_again = accounts.strand("ann");
    /// assert_eq!(accounts.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.lock().len
    }

    /// Returns whether there are no strands.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let accounts = pool.strands::<String>();
    /// assert!(accounts.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K> Clone for Strands<K> {
    fn clone(&self) -> Self {
        Self {
            gate: self.gate.clone(),
            hasher: self.hasher.clone(),
            map: Arc::clone(&self.map),
        }
    }
}

// A panic is caught before it can leave shared state inconsistent.
impl<K> UnwindSafe for Strands<K> {}
impl<K> RefUnwindSafe for Strands<K> {}

impl<K> fmt::Debug for Strands<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strands")
            .field("strands", &self.map.lock().len)
            .finish_non_exhaustive()
    }
}
