//! Many pools behind one handle.

use std::fmt;

use crate::balance::{Balance, Picker};
use crate::build_error::BuildError;
use crate::builder::Builder;
use crate::entrance::Patience;
use crate::error::{ReopenError, SlotError};
use crate::gate::Gate;
use crate::pool::Pool;
use crate::seat::Seat;
use crate::slots::NoSlot;
use crate::stats::Stats;
use crate::sync::Arc;

/// A fixed number of pools, the *shards*, behind one handle. From [`Builder::build_multi`] or [`new`](Self::new).
///
/// Each shard has its own slots, queues and threads, so that many cores that submit do not all meet at the same words
/// of memory. It pays where that is what limits; elsewhere one [`Pool`] is simpler, and shares its threads better: no
/// shard takes work from another.
///
/// A clone is another handle of the same shards. A shard that has no other handle closes with the last clone.
///
/// # Submitting
///
/// A [`Balance`] picks a shard. If that has no free slot or is closed, the task goes to the next one in order that has
/// a free slot, which counts as no rejection. Only when no shard has one does the call do what its namesake of [`Pool`]
/// does, at the picked shard, or at the next open one if that is closed: it waits in the line of that shard, with its
/// [`max_waiting`](Builder::max_waiting), or is refused, and the refusal counts there. A call that waits stays in that
/// line also when another shard has a free slot first; if the shard is closed meanwhile, it goes on to the others. It
/// is told `Closed` when all shards are.
///
/// A worker of any of the shards never blocks for a slot, because two workers could wait for each other: it gets
/// [`WouldDeadlock`](crate::SlotError::WouldDeadlock).
///
/// Strands and subpools belong to a shard: take one of [`shards`](Self::shards).
///
/// # Example
///
/// ```
/// use anthill::{Balance, Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().capacity(100).threads(0..=1).build_multi(4, Balance::RoundRobin)?;
/// for n in 0..1000 {
///     pool.submit(move || println!("task {n}"))?; // waits while 400 are in the four shards
/// }
/// pool.shutdown().wait()?;
/// assert_eq!(pool.stats().completed, 1000);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MultiPool(Arc<Shards>);

struct Shards {
    /// One or more.
    pools: Box<[Pool]>,
    picker: Picker,
}

impl Builder {
    /// Builds so many pools behind one handle. Every setting is for each of these shards: four shards of 100 slots have
    /// 400, and as many times the threads. Their names are `{name}-0`, `{name}-1` and so on; they share the
    /// panic handler.
    ///
    /// ```
    /// use anthill::{Balance, Pool};
    ///
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = Pool::builder().name("io").capacity(100).build_multi(4, Balance::default())?;
    /// assert_eq!((pool.capacity(), pool.shards()[3].name()), (400, "io-3"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError::ZeroShards`], or as for [`build`](Self::build). The shards that were built by then are closed.
    pub fn build_multi(self, shards: usize, balance: Balance) -> Result<MultiPool, BuildError> {
        MultiPool::collect(
            (0..shards).map(|index| self.for_shard(index).build()),
            balance,
        )
    }
}

/// Building.
impl MultiPool {
    /// Puts pools that exist behind one handle. They may differ in their settings, and be subpools.
    ///
    /// ```
    /// use anthill::{Balance, MultiPool, Pool};
    ///
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let small = Pool::builder().capacity(10).build()?;
    /// let large = Pool::builder().capacity(90).build()?;
    /// let both = MultiPool::new([small, large], Balance::LeastLoaded)?;
    /// assert_eq!(both.capacity(), 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError::ZeroShards`].
    pub fn new(
        shards: impl IntoIterator<Item = Pool>,
        balance: Balance,
    ) -> Result<Self, BuildError> {
        Self::collect(shards.into_iter().map(Ok), balance)
    }

    /// On an error the pools so far are dropped, which closes them.
    fn collect(
        shards: impl Iterator<Item = Result<Pool, BuildError>>,
        balance: Balance,
    ) -> Result<Self, BuildError> {
        let pools = shards.collect::<Result<Box<[Pool]>, _>>()?;
        if pools.is_empty() {
            return Err(BuildError::ZeroShards);
        }
        let picker = Picker::new(balance);
        Ok(Self(Arc::new(Shards { pools, picker })))
    }
}

/// What the ways in need.
impl MultiPool {
    pub(crate) fn gates(&self) -> impl Iterator<Item = &Gate> {
        self.shards().iter().map(Pool::gate)
    }

    /// The place of the shard for the next task.
    pub(crate) fn pick(&self) -> usize {
        let shards = self.shards();
        let load = |shard: usize| shards[shard].gate().entrance().load();
        self.0.picker.pick(shards.len(), load)
    }

    /// Whether the calling thread is a worker of one of the shards.
    pub(crate) fn is_on_worker(&self) -> bool {
        self.gates().any(|gate| Seat::is_on(&gate.scheduler))
    }

    /// Takes the first slot that is free, from the picked shard on. Without one, returns the first shard that is open.
    fn look(&self, picked: usize) -> Result<(&Gate, bool), Refused<'_>> {
        let shards = self.shards();
        let (before, from) = shards.split_at(picked);
        let mut line = None;
        for gate in from.iter().chain(before).map(Pool::gate) {
            match gate.entrance().slots.try_acquire() {
                Ok(()) => return Ok((gate, true)),
                Err(NoSlot::Full) => line = line.or(Some(gate)),
                Err(NoSlot::Closed) => {}
            }
        }
        let line = line.map(|gate| (gate, false));
        line.ok_or((shards[picked].gate(), SlotError::Closed))
    }

    fn try_enter(&self, patience: Option<Patience>) -> Result<&Gate, Refused<'_>> {
        let picked = self.pick();
        loop {
            let (gate, has_slot) = self.look(picked)?;
            if has_slot {
                return Ok(gate);
            }
            let entrance = gate.entrance();
            let patience = patience.unwrap_or_else(|| entrance.plain());
            match entrance.enter(patience, || self.is_on_worker()) {
                Ok(()) => return Ok(gate),
                // It was closed meanwhile; another may be open.
                Err(SlotError::Closed) => {}
                Err(refusal) => return Err((gate, refusal)),
            }
        }
    }

    /// Takes a slot, waiting as `patience` says; without it, as `nonblocking` of the shard says. Counts a refusal.
    pub(crate) fn enter(&self, patience: Option<Patience>) -> Result<&Gate, SlotError> {
        self.try_enter(patience).map_err(count)
    }

    /// Takes a slot if a shard has a free one. Returns its gate, or where to wait, and whether it took one. Counts a
    /// refusal.
    pub(crate) fn look_for_slot(&self) -> Result<(&Gate, bool), SlotError> {
        self.look(self.pick()).map_err(count)
    }
}

/// A refusal that is not counted yet, and the gate where it counts.
type Refused<'a> = (&'a Gate, SlotError);

fn count((gate, refusal): Refused<'_>) -> SlotError {
    gate.entrance().count(refusal)
}

/// While it runs.
impl MultiPool {
    /// The shards, in their order. Each is a pool like any other: `shards()[i].stats()` has its figures alone, and
    /// `shards()[i].close()` takes it out of use.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// let busiest = pool.shards().iter().max_by_key(|shard| shard.in_flight()).unwrap();
    /// println!("{} has the most to do", busiest.name());
    /// ```
    #[must_use]
    pub fn shards(&self) -> &[Pool] {
        &self.0.pools
    }

    /// Changes the capacity of each shard, see [`Pool::set_capacity`].
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.set_capacity(10); // two shards
    /// assert_eq!(pool.capacity(), 20);
    /// ```
    pub fn set_capacity(&self, each: usize) {
        for shard in self.shards() {
            shard.set_capacity(each);
        }
    }

    /// How many tasks may be in all shards at once; `usize::MAX` when one of them is unlimited.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// assert_eq!(pool.capacity(), 16); // two shards of eight slots
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        let capacities = self.shards().iter().map(Pool::capacity);
        capacities.fold(0, usize::saturating_add)
    }

    /// How many slots are taken now, in all shards.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// let held = pool.shards().iter().map(anthill::Pool::try_slot).collect::<Vec<_>>();
    /// assert_eq!(pool.in_flight(), 2);
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shards().iter().map(Pool::in_flight).sum()
    }

    /// The sums of the shards' figures, which are read one shard after the other. `capacity` and `free` are at most
    /// `usize::MAX`, as they are when a shard is unlimited. Shards that are subpools of one pool have its threads,
    /// queues and ended tasks in common, and these count once for each. For one shard alone, ask that one of
    /// [`shards`](Self::shards).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(8).build_multi(2, anthill::Balance::RoundRobin)?;
    /// for _ in 0..3 {
    ///     pool.submit(|| ())?;
    /// }
    /// assert_eq!((pool.stats().capacity, pool.stats().accepted), (16, 3));
    /// assert_eq!(pool.shards()[0].stats().accepted, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        let stats = self.shards().iter().map(Pool::stats);
        stats.fold(Stats::default(), Stats::plus)
    }
}

/// The end, and a new beginning.
impl MultiPool {
    /// Closes all shards, as [`Pool::close`] does, one after the other: a submit made meanwhile may still get into the
    /// last ones.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.close();
    /// assert!(pool.shards().iter().all(anthill::Pool::is_closed));
    /// ```
    pub fn close(&self) {
        for shard in self.shards() {
            shard.close();
        }
    }

    /// Closes all shards and drops what has not begun, as [`Pool::discard`] does.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.discard(); // give up what has not begun, and wait for what has
    /// assert_eq!(pool.shutdown().wait(), Ok(()));
    /// ```
    pub fn discard(&self) {
        for shard in self.shards() {
            shard.discard();
        }
    }

    /// Opens all shards again, as [`Pool::reopen`] does.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.shards()[1].close();
    /// assert_eq!(pool.reopen(), Ok(())); // the other shard was open all the time
    /// ```
    ///
    /// # Errors
    ///
    /// Why the first shard that stays closed does so. Those that can be opened are.
    pub fn reopen(&self) -> Result<(), ReopenError> {
        for shard in self.shards() {
            // Subpools may stand before the pool that must be open for them: they get their turn below.
            let _not_yet = shard.reopen();
        }
        let opened = self.shards().iter().map(Pool::reopen);
        opened.fold(Ok(()), Result::and)
    }

    /// Whether all shards are closed.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.shards()[1].close();
    /// assert!(!pool.is_closed()); // one shard still takes tasks
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shards().iter().all(Pool::is_closed)
    }
}

impl fmt::Debug for MultiPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiPool")
            .field("balance", &self.0.picker.balance)
            .field("shards", &self.shards())
            .finish()
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_shards_before_one_that_is_not_built_are_closed() {
        let held = std::sync::Arc::new(());
        let witness = std::sync::Arc::downgrade(&held);
        let builder = Pool::builder().threads(1..=1).panic_handler(move |_| {
            let _ = &held;
        });
        let shards = (0..3).map(|index| {
            let shard = builder.for_shard(index);
            match index {
                // A stack larger than any address space.
                2 => shard.stack_size(1 << 60).build(),
                _ => shard.build(),
            }
        });
        let refused = MultiPool::collect(shards, Balance::default());
        assert!(matches!(refused, Err(BuildError::Thread(_))));
        drop(builder);
        // The threads of an open pool would stay, and keep its panic handler.
        while witness.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
