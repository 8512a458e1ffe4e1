//! Many pools behind one handle.

use std::fmt;

use crate::admission::NoSlot;
use crate::engine::{Gate, Patience, Seat};
use crate::errors::{BuildError, ReopenError, SlotError};
use crate::figures::Stats;
use crate::multi::balance::{Balance, Picker};
use crate::pool::{Builder, Pool, Shutdown};
use crate::sync::Arc;

/// A fixed number of pools, the *shards*, behind one handle. From [`Builder::build_multi`] or
/// [`new`](Self::new).
///
/// Each shard has its own slots, queues and threads, so that submitters on many cores do not
/// contend on the same cache lines. Use it where that contention is the bottleneck. Otherwise one
/// [`Pool`] is simpler and uses its threads better, because no shard takes tasks from another.
///
/// A clone is another handle of the same shards. A shard without other handles closes when the last
/// clone is dropped.
///
/// # Submitting
///
/// A [`Balance`] picks a shard. If that shard has no free slot or is closed, the task goes to the
/// next shard that has one; this counts as no rejection. If no shard has a free slot, the call
/// behaves like the call of [`Pool`] with the same name. It waits at the picked shard, or at the
/// next open shard if that is closed, within that shard's [`max_waiting`](Builder::max_waiting). A
/// refusal counts there.
///
/// A waiting call stays in the line of its shard even if another shard has a free slot first. If
/// its shard is closed meanwhile, the call tries the other shards. It returns `Closed` when all
/// shards are closed.
///
/// A worker of any shard never blocks for a slot, because two workers could wait for each other. It
/// gets [`WouldDeadlock`](crate::SlotError::WouldDeadlock).
///
/// Strands and subpools belong to one of the [`shards`](Self::shards).
///
/// # Example
///
/// ```
/// use anthill::{Balance, Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().capacity(100).threads(0..=1).build_multi(4, Balance::RoundRobin)?;
/// for n in 0..1000 {
///     pool.submit(move || println!("task {n}"))?; // blocks while the four shards hold 400 tasks
/// }
/// pool.shutdown().wait()?;
/// assert_eq!(pool.stats().completed, 1000);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MultiPool(Arc<Shards>);

struct Shards {
    /// Never empty.
    pools: Box<[Pool]>,
    picker: Picker,
}

impl Builder {
    /// Builds `shards` pools behind one handle. Every setting applies to each shard: four shards of
    /// 100 slots have 400 slots, and four times the threads. The shards are named `{name}-0`,
    /// `{name}-1` and so on, and share the panic handler.
    ///
    /// ```
    /// use anthill::{Balance, Pool};
    ///
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = Pool::builder().name("io").capacity(100).build_multi(4, Balance::default())?;
    /// assert_eq!((pool.stats().capacity, pool.shards()[3].name()), (400, "io-3"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError::ZeroShards`], or the errors of [`build`](Self::build). Shards that were
    /// already built are closed.
    pub fn build_multi(self, shards: usize, balance: Balance) -> Result<MultiPool, BuildError> {
        MultiPool::collect(
            (0..shards).map(|index| self.for_shard(index).build()),
            balance,
        )
    }
}

/// Building.
impl MultiPool {
    /// Puts existing pools behind one handle. They may differ in their settings, and may be
    /// subpools.
    ///
    /// ```
    /// use anthill::{Balance, MultiPool, Pool};
    ///
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let small = Pool::builder().capacity(10).build()?;
    /// let large = Pool::builder().capacity(90).build()?;
    /// let both = MultiPool::new([small, large], Balance::LeastLoaded)?;
    /// assert_eq!(both.stats().capacity, 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError::ZeroShards`] without any pool.
    pub fn new(
        shards: impl IntoIterator<Item = Pool>,
        balance: Balance,
    ) -> Result<Self, BuildError> {
        Self::collect(shards.into_iter().map(Ok), balance)
    }

    /// On an error the pools built so far are dropped, which closes them.
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

/// Choosing a shard.
impl MultiPool {
    pub(crate) fn gates(&self) -> impl Iterator<Item = &Gate> {
        self.shards().iter().map(Pool::gate)
    }

    /// Returns the index of the shard for the next task.
    pub(crate) fn pick(&self) -> usize {
        let shards = self.shards();
        let load = |shard: usize| shards[shard].gate().entrance().load();
        self.0.picker.pick(shards.len(), load)
    }

    /// Returns whether the calling thread is a worker of one of the shards.
    pub(crate) fn is_on_worker(&self) -> bool {
        self.gates().any(|gate| Seat::is_on(&gate.scheduler))
    }

    /// Takes slots of the first shard that has enough free ones, from the picked shard on. Without
    /// one, returns the first open shard that has as many slots, and false.
    fn look(&self, picked: usize, count: usize) -> Result<(&Gate, bool), Refused<'_>> {
        let shards = self.shards();
        let (before, from) = shards.split_at(picked);
        let mut line = None;
        let mut reason = SlotError::Closed;
        for gate in from.iter().chain(before).map(Pool::gate) {
            match gate.entrance().slots.try_acquire(count) {
                Ok(()) => return Ok((gate, true)),
                Err(NoSlot::Full) => line = line.or(Some(gate)),
                Err(NoSlot::Closed) => {}
                Err(NoSlot::TooMany) => reason = SlotError::TooMany,
            }
        }
        let line = line.map(|gate| (gate, false));
        line.ok_or((shards[picked].gate(), reason))
    }

    fn try_enter(&self, patience: Option<Patience>, count: usize) -> Result<&Gate, Refused<'_>> {
        let picked = self.pick();
        loop {
            let (gate, has_slot) = self.look(picked, count)?;
            if has_slot {
                return Ok(gate);
            }
            let entrance = gate.entrance();
            let patience = patience.unwrap_or_else(|| entrance.plain());
            match entrance.enter(patience, count, || self.is_on_worker()) {
                Ok(()) => return Ok(gate),
                // The shard was closed or shrunk meanwhile; another may have room.
                Err(SlotError::Closed | SlotError::TooMany) => {}
                Err(refusal) => return Err((gate, refusal)),
            }
        }
    }

    /// Takes slots, and blocks for them as long as `patience` allows, by default as the shard's
    /// `nonblocking` says. Counts a refusal.
    pub(crate) fn enter(
        &self,
        patience: Option<Patience>,
        count: usize,
    ) -> Result<&Gate, SlotError> {
        self.try_enter(patience, count).map_err(note)
    }

    /// Takes slots if a shard has enough free ones. Returns its gate, or the gate to wait at, and
    /// whether it took them. Counts a refusal.
    pub(crate) fn look_for_slots(
        &self,
        picked: usize,
        count: usize,
    ) -> Result<(&Gate, bool), SlotError> {
        self.look(picked, count).map_err(note)
    }
}

/// A refusal that is not counted yet, and the gate where it counts.
type Refused<'a> = (&'a Gate, SlotError);

fn note((gate, refusal): Refused<'_>) -> SlotError {
    gate.entrance().count(refusal)
}

/// Shards and statistics.
impl MultiPool {
    /// Returns the shards in order. Each is an ordinary pool: `shards()[i].stats()` returns its own
    /// figures, and `shards()[i].close()` takes it out of use. To resize all, loop:
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// let busiest = pool.shards().iter().max_by_key(|shard| shard.in_flight()).unwrap();
    /// println!("{} is the busiest", busiest.name());
    /// for shard in pool.shards() {
    ///     shard.set_capacity(10);
    /// }
    /// assert_eq!(pool.stats().capacity, 20);
    /// ```
    #[must_use]
    pub fn shards(&self) -> &[Pool] {
        &self.0.pools
    }

    /// Returns the sums of the shards' statistics, which are read one shard after another.
    /// `capacity` and `free` are `usize::MAX` at most, as for an unlimited shard.
    ///
    /// Subpools of one pool share its threads, queues and ended tasks, which therefore count once
    /// per such shard. [`shards`](Self::shards) gives access to the statistics of one shard.
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

/// Closing and reopening.
impl MultiPool {
    /// Closes all shards with [`Pool::close`], one after another. A concurrent submit may still
    /// enter the last ones.
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

    /// Closes all shards and drops the tasks that have not begun, with [`Pool::discard`].
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.discard(); // drops tasks that have not begun
    /// assert_eq!(pool.shutdown().wait(), Ok(()));
    /// ```
    pub fn discard(&self) {
        for shard in self.shards() {
            shard.discard();
        }
    }

    /// Closes all shards and returns a value that waits until each has ended, as
    /// [`Pool::shutdown`] defines it. A timeout reports the sums of the remaining shards; ask each
    /// of [`shards`](Self::shards) for more.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.submit(|| println!("done before the end")).unwrap();
    /// assert_eq!(pool.shutdown().wait(), Ok(()));
    /// ```
    pub fn shutdown(&self) -> Shutdown<'_> {
        Shutdown::new(self.shards())
    }

    /// Reopens all shards with [`Pool::reopen`].
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.shards()[1].close();
    /// assert_eq!(pool.reopen(), Ok(())); // the first shard was open all the time
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first shard that stays closed. All other shards that can be reopened are.
    pub fn reopen(&self) -> Result<(), ReopenError> {
        for shard in self.shards() {
            // A subpool may come before its pool, which must reopen first. The second pass reopens
            // it.
            let _not_yet = shard.reopen();
        }
        let opened = self.shards().iter().map(Pool::reopen);
        opened.fold(Ok(()), Result::and)
    }

    /// Returns whether all shards are closed.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.shards()[1].close();
    /// assert!(!pool.is_closed()); // one shard still accepts tasks
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
