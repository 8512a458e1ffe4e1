//! Strands by key.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

use crate::gate::Gate;
use crate::pool::Pool;
use crate::strand::Strand;
use crate::sync::{Arc, Mutex};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// The fewest calls between two looks for unneeded strands.
const FEWEST: usize = 64;

/// Strands by key: tasks with the same key run one at a time and in order, tasks with different keys in parallel.
///
/// A strand comes with the first use of its key. It is given up when no handle of it is left and it has no tasks; its key
/// then gets a new one, with nothing lost but the memory it took. Unneeded strands are looked for in [`strand`](Self::strand),
/// once in as many calls as there are strands, so that there are at most twice as many as were in use at that time.
///
/// `Hash` and `Clone` of a key run outside the lock of the map, and may use the map again. `Eq` runs under it and must not.
///
/// A clone is another handle of the same strands. They do not keep their pool open.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let accounts = pool.strands::<String>();
/// for (owner, amount) in [("ann", 100), ("bob", 50), ("ann", -30)] {
///     // One after the other for each owner.
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
    /// By the hash of the key, so that the map never calls `Hash` itself: a panic there could lose strands.
    strands: HashMap<u64, Vec<(K, Strand)>>,
    len: usize,
    /// Calls left until unneeded strands are looked for.
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
        // Mostly it stays the only one with this hash.
        let same_hash = self
            .strands
            .entry(hash)
            .or_insert_with(|| Vec::with_capacity(1));
        same_hash.push((key, strand));
        self.len += 1;
    }

    /// Counts a call. Returns unneeded strands, to be dropped outside the lock: the drop of a key may do anything.
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
        self.calls = FEWEST.max(self.len);
        unneeded
    }
}

impl Pool {
    /// Strands by key, whose tasks take their slots at this entrance.
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
            calls: FEWEST,
        };
        Strands {
            gate: self.gate().clone(),
            hasher: RandomState::new(),
            map: Arc::new(Mutex::new(map)),
        }
    }
}

impl<K: Eq + Hash> Strands<K> {
    /// The strand of a key: the same as long as anybody has a handle of it or it has tasks.
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

    /// The strand of a key that had none, unless another thread has added it meanwhile.
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

    /// Returns how many strands there are, unneeded ones that are not dropped yet included.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let accounts = pool.strands::<String>();
    /// let (ann, bob, ann_again) = (accounts.strand("ann"), accounts.strand("bob"), accounts.strand("ann"));
    /// assert_eq!(accounts.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.lock().len
    }

    /// Whether there are none.
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

// As for the pool: a panic is caught before it reaches what is shared.
impl<K> UnwindSafe for Strands<K> {}
impl<K> RefUnwindSafe for Strands<K> {}

impl<K> fmt::Debug for Strands<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strands")
            .field("strands", &self.map.lock().len)
            .finish_non_exhaustive()
    }
}
