//! The ways into a multi pool.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::entrance::{Patience, Refusal};
use crate::error::SubmitError;
use crate::gate::{Gate, Way};
use crate::join::{self, JoinHandle};
use crate::multi_pool::MultiPool;
use crate::pool::Pool;
use crate::slots::NoSlot;
use crate::submit::{admit, after};

/// A refusal, not counted yet, and the gate where it counts.
type Refused<'a> = (&'a Gate, Refusal);

/// What a look at all shards found.
enum Found<'a> {
    /// A free slot. It is the caller's.
    Slot(&'a Gate),
    /// No free slot, and this one to wait at.
    Line(&'a Gate),
}

/// Getting in.
impl MultiPool {
    /// Takes the first slot that is free, from the picked shard on.
    fn look(&self, picked: usize) -> Result<Found<'_>, Refused<'_>> {
        let shards = self.shards();
        let (before, from) = shards.split_at(picked);
        let mut line = None;
        for gate in from.iter().chain(before).map(Pool::gate) {
            match gate.entrance().slots.try_acquire() {
                Ok(()) => return Ok(Found::Slot(gate)),
                Err(NoSlot::Full) => line = line.or(Some(gate)),
                Err(NoSlot::Closed) => {}
            }
        }
        line.map(Found::Line)
            .ok_or((shards[picked].gate(), Refusal::Closed))
    }

    /// Takes a slot, as patiently as asked; a plain submit asks for nothing, and is as patient as where it would wait.
    fn try_enter(&self, patience: Option<Patience>) -> Result<&Gate, Refused<'_>> {
        let picked = self.pick();
        loop {
            let gate = match self.look(picked)? {
                Found::Slot(gate) => return Ok(gate),
                Found::Line(gate) => gate,
            };
            let entrance = gate.entrance();
            let patience = patience.unwrap_or_else(|| entrance.plain());
            match entrance.enter(patience, || self.is_on_worker()) {
                Ok(()) => return Ok(gate),
                // It was closed meanwhile; another may be open.
                Err(Refusal::Closed) => {}
                Err(refusal) => return Err((gate, refusal)),
            }
        }
    }

    fn enter(&self, patience: Option<Patience>) -> Result<&Gate, Refusal> {
        self.try_enter(patience)
            .map_err(|(gate, refusal)| gate.entrance().count(refusal))
    }

    /// As `enter`, for a closure: where a wait would deadlock, it runs in place if the worker's own shard allows it.
    fn enter_closure(&self, patience: Option<Patience>) -> Result<(&Gate, Way), Refusal> {
        let (gate, refusal) = match self.try_enter(patience) {
            Ok(gate) => return Ok((gate, Way::Slot)),
            Err(refused) => refused,
        };
        let own = match refusal {
            Refusal::WouldDeadlock => self
                .gates()
                .find(|own| own.runs_in_place() && !own.entrance().slots.is_closed()),
            _ => None,
        };
        own.map(|own| (own, Way::InPlace))
            .ok_or_else(|| gate.entrance().count(refusal))
    }

    async fn enter_async(&self) -> Result<&Gate, Refusal> {
        let picked = self.pick();
        let (gate, refusal) = loop {
            let gate = match self.look(picked) {
                Ok(Found::Slot(gate)) => return Ok(gate),
                Ok(Found::Line(gate)) => gate,
                Err(refused) => break refused,
            };
            match gate.try_enter_async().await {
                Ok(()) => return Ok(gate),
                // As in `try_enter`.
                Err(Refusal::Closed) => {}
                Err(refusal) => break (gate, refusal),
            }
        };
        Err(gate.entrance().count(refusal))
    }
}

/// Closures. The ways in are named as those of [`Pool`] are, and give the same answers.
impl MultiPool {
    /// As [`Pool::submit`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// pool.submit(|| println!("in one shard"))?;
    /// pool.submit(|| println!("in the other"))?;
    /// assert!(pool.shards().iter().all(|shard| shard.stats().accepted == 1));
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, None)
    }

    /// As [`Pool::try_submit`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build_multi(2, Default::default())?;
    /// let held = pool.shards()[0].slot()?;
    /// pool.try_submit(|| println!("in the other shard"))?;
    /// assert_eq!(pool.shards()[1].stats().accepted, 1);
    /// # drop(held);
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Some(Patience::None))
    }

    /// As [`Pool::submit_timeout`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let pool = anthill::Pool::builder().capacity(1).build_multi(2, Default::default())?;
    /// let held = (pool.shards()[0].slot()?, pool.shards()[1].slot()?);
    /// let refused = pool.submit_timeout(|| println!("no room"), Duration::from_millis(1));
    /// assert!(matches!(refused, Err(anthill::SubmitError::Timeout(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Some(after(timeout)))
    }

    /// As [`Pool::submit_deadline`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::{Duration, Instant};
    /// # let pool = anthill::Pool::builder().capacity(1).build_multi(2, Default::default())?;
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// for n in 0..10 {
    ///     pool.submit_deadline(move || println!("{n}"), deadline)?; // one deadline for all
    /// }
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_deadline<F>(&self, f: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Some(Patience::Until(deadline)))
    }

    /// As [`Pool::submit_async`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// let inner = pool.clone();
    /// pool.spawn_with_handle(async move {
    ///     inner.submit_async(|| println!("from within")).await.expect("a shard is open");
    /// })?.join()?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn submit_async<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        admit(self.enter_async().await, f, |gate, f| {
            gate.submit(Way::Slot, f);
        })
    }

    fn submit_with<F>(&self, f: F, patience: Option<Patience>) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        admit(self.enter_closure(patience), f, |(gate, way), f| {
            gate.submit(way, f);
        })
    }
}

/// Futures. Each stays in the shard that it got into.
impl MultiPool {
    /// As [`Pool::spawn`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// pool.shards()[0].close();
    /// pool.spawn(async { println!("in the shard that is open") })?;
    /// assert_eq!(pool.shards()[1].stats().accepted, 1);
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, None)
    }

    /// As [`Pool::try_spawn`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build_multi(2, Default::default())?;
    /// let held = (pool.shards()[0].slot()?, pool.shards()[1].slot()?);
    /// let refused = pool.try_spawn(async { println!("no room in either") });
    /// assert!(matches!(refused, Err(anthill::SubmitError::Full(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Some(Patience::None))
    }

    /// As [`Pool::spawn_timeout`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// pool.close();
    /// let refused = pool.spawn_timeout(async {}, Duration::from_secs(60)); // at once
    /// assert!(matches!(refused, Err(anthill::SubmitError::Closed(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Some(after(timeout)))
    }

    /// As [`Pool::spawn_deadline`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Instant;
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// // Too late to wait, but there is room.
    /// pool.spawn_deadline(async { println!("in time") }, Instant::now())?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_deadline<F>(&self, future: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Some(Patience::Until(deadline)))
    }

    /// As [`Pool::spawn_async`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// let inner = pool.clone();
    /// pool.spawn_with_handle(async move {
    ///     inner.spawn_async(async { println!("a second future") }).await.expect("a shard is open");
    /// })?.join()?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn spawn_async<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        admit(self.enter_async().await, future, Gate::spawn)
    }

    fn spawn_with<F>(&self, future: F, patience: Option<Patience>) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        admit(self.enter(patience), future, Gate::spawn)
    }
}

/// Tasks with a result.
impl MultiPool {
    /// As [`Pool::submit_with_handle`]. A task may join one of its own shard in place; one of another shard holds its
    /// worker up, as [`JoinHandle`] says.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build_multi(2, anthill::Balance::default())?;
    /// let answer = pool.submit_with_handle(|| 6 * 7)?;
    /// assert_eq!(answer.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with_handle<F, T>(&self, f: F) -> Result<JoinHandle<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        admit(self.enter_closure(None), f, |(gate, way), f| {
            join::submit(gate, way, f)
        })
    }

    /// As [`Pool::spawn_with_handle`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
    /// let (one, two) = (pool.spawn_with_handle(async { 1 })?, pool.spawn_with_handle(async { 2 })?);
    /// assert_eq!(one.join()? + two.join()?, 3); // from two shards
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SubmitError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        admit(self.enter(None), future, join::spawn)
    }
}
