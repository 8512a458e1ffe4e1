//! Strands by key.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use crate::gate::Gate;
use crate::pool::Pool;
use crate::strand::Strand;
use crate::sync::{Arc, Mutex};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// The fewest strands at which those that nobody needs are looked for.
const FEWEST: usize = 64;

/// Strands by key: tasks with the same key run one at a time and in order, tasks with different keys in parallel.
///
/// A strand comes with the first use of its key. It is given up, sooner or later, when nobody has a handle of it and it
/// has no tasks; its key then gets a new one, with nothing lost but the memory it took. So there are about
/// as many as are in use, or at most twice that.
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
/// pool.shutdown()?;
/// # Ok(())
/// # }
/// ```
pub struct Strands<K> {
    gate: Gate,
    map: Arc<Mutex<Map<K>>>,
}

struct Map<K> {
    strands: HashMap<K, Strand>,
    /// At how many strands those that nobody needs are looked for next.
    sweep_at: usize,
}

impl Pool {
    /// Strands by key, whose tasks take their slots at this entrance.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let rooms = pool.strands::<u32>();
    /// rooms.strand(&7).submit(|| println!("a message for room 7"))?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn strands<K: Eq + Hash>(&self) -> Strands<K> {
        let map = Map {
            strands: HashMap::new(),
            sweep_at: FEWEST,
        };
        Strands {
            gate: self.gate().clone(),
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
        let mut map = self.map.lock();
        if let Some(strand) = map.strands.get(key) {
            return strand.clone();
        }
        let mut forgotten = Vec::new();
        if map.strands.len() >= map.sweep_at {
            for (key, strand) in std::mem::take(&mut map.strands) {
                if strand.is_forgotten() {
                    forgotten.push((key, strand));
                } else {
                    map.strands.insert(key, strand);
                }
            }
            map.sweep_at = FEWEST.max(2 * map.strands.len());
        }
        let strand = Strand::new(self.gate.clone());
        map.strands.insert(key.to_owned(), strand.clone());
        drop(map);
        // Outside the lock: the drop of a key may do anything.
        drop(forgotten);
        strand
    }

    /// How many strands there are, those that nobody needs any more included.
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
        self.map.lock().strands.len()
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
            .field("strands", &self.map.lock().strands.len())
            .finish_non_exhaustive()
    }
}
