//! Reserves a slot: the value that a thread or a future waits for.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::admission::MOST_SLOTS;
use crate::engine::Patience;
use crate::engine::{Enter, Gate};
use crate::errors::{SlotError, SubmitError};
use crate::multi::MultiPool;
use crate::strand::Strand;
use crate::submit::slot::{Slot, Target};
use crate::task::Job;

/// Waits for a [`Slot`], from `slot()` of [`Pool`](crate::Pool::slot),
/// [`Strand`](crate::Strand::slot) and [`MultiPool`](crate::MultiPool::slot).
///
/// In async code, `.await` it: no thread blocks, and dropping it gives up the place in line. On a
/// thread, call [`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout) or
/// [`wait_deadline`](Self::wait_deadline). Threads and futures wait in one fair line. Nothing
/// happens until it is awaited or waited for.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().capacity(1).build()?;
/// pool.slot().await?.submit(|| println!("first"));
/// pool.slot().await?.submit(|| println!("second, when the first has ended"));
/// pool.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing unless it is awaited or waited for"]
pub struct Reserve<'a> {
    source: Source<'a>,
    /// How many slots.
    count: usize,
    /// The shard that was picked, if there are shards.
    picked: Option<usize>,
    /// The place in line, and its gate.
    enter: Option<(Enter<'a>, &'a Gate)>,
}

impl<'a> Reserve<'a> {
    pub(crate) fn new(source: Source<'a>, count: usize) -> Self {
        Self {
            source,
            count: clamp(count),
            picked: None,
            enter: None,
        }
    }

    /// Takes the slots if they are free now.
    pub(crate) fn try_now(self) -> Result<Slot<'a>, SlotError> {
        self.enter(Some(Patience::None))
    }

    fn enter(mut self, patience: Option<Patience>) -> Result<Slot<'a>, SlotError> {
        // Leave the line after a poll, or the place there takes the slot that this waits for.
        self.enter = None;
        let target = self.source.enter(patience, self.count)?;
        Ok(Slot::new(target, self.count))
    }

    /// Blocks the calling thread until a slot is free. In async code, use `.await`.
    ///
    /// On a [`nonblocking`](crate::Builder::nonblocking) pool, returns `Full` instead of blocking.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// pool.slot().wait()?.submit(|| println!("there was room"));
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SlotError::Closed`] if the pool is closed. [`SlotError::Full`] if `max_waiting` submitters
    /// wait already. [`SlotError::WouldDeadlock`] on a worker of the pool when no slot is free.
    /// [`SlotError::TooMany`] if it asks for more slots than the capacity, or the capacity shrinks
    /// below that while it waits.
    ///
    /// # Panics
    ///
    /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
    /// tokio.
    pub fn wait(self) -> Result<Slot<'a>, SlotError> {
        self.enter(None)
    }

    /// Blocks the calling thread until a slot is free, for at most `timeout`. A free slot is used
    /// even if the timeout is zero.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use anthill::SlotError;
    ///
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let held = pool.try_slot()?;
    /// let refused = pool.slot().wait_timeout(Duration::from_millis(1)).err();
    /// assert_eq!(refused, Some(SlotError::Timeout));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SlotError::Timeout`], or the errors of [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
    /// tokio.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Slot<'a>, SlotError> {
        let deadline = Instant::now().checked_add(timeout);
        // A timeout beyond the range of the clock never ends.
        let patience = deadline.map_or(Patience::Endless, Patience::Until);
        self.enter(Some(patience))
    }

    /// Blocks the calling thread until a slot is free, at the latest until `deadline`. A free slot
    /// is used even if the deadline has passed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let deadline = Instant::now() + Duration::from_secs(60); // for both together
    /// let first = pool.slot().wait_deadline(deadline)?;
    /// let second = pool.slot().wait_deadline(deadline)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SlotError::Timeout`], or the errors of [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
    /// tokio.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Slot<'a>, SlotError> {
        self.enter(Some(Patience::Until(deadline)))
    }
}

impl<'a> Future for Reserve<'a> {
    type Output = Result<Slot<'a>, SlotError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            let (enter, gate) = match &mut this.enter {
                Some(enter) => enter,
                None => match this.source.look(&mut this.picked, this.count)? {
                    Found::Slot(target) => return Poll::Ready(Ok(Slot::new(target, this.count))),
                    Found::Line(gate) => this.enter.insert((gate.enter_async(this.count), gate)),
                },
            };
            let entered = ready!(Pin::new(enter).poll(cx));
            let gate = *gate;
            this.enter = None;
            match entered {
                Ok(()) => {
                    let target = this.source.target(gate);
                    return Poll::Ready(Ok(Slot::new(target, this.count)));
                }
                // Another shard may be open, or large enough.
                Err(SlotError::Closed | SlotError::TooMany) if this.source.has_shards() => {}
                Err(refusal) => return Poll::Ready(Err(gate.entrance().count(refusal))),
            }
        }
    }
}

impl fmt::Debug for Reserve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("waits", &self.enter.is_some())
            .finish_non_exhaustive()
    }
}

/// The handle whose slots are reserved.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Pool(&'a Gate),
    Strand(&'a Strand),
    Multi(&'a MultiPool),
}

/// The result of a look for a slot.
enum Found<'a> {
    /// A slot, taken for the caller.
    Slot(Target<'a>),
    /// No free slot; wait at this gate.
    Line(&'a Gate),
}

impl<'a> Source<'a> {
    /// Takes a slot, and blocks for one as long as `patience` allows, by default as the pool's
    /// `nonblocking` says.
    pub(crate) fn enter(
        self,
        patience: Option<Patience>,
        count: usize,
    ) -> Result<Target<'a>, SlotError> {
        Ok(self.target(self.enter_gate(patience, count)?))
    }

    /// Takes a slot like `enter`, and returns the gate that it belongs to.
    #[inline]
    fn enter_gate(self, patience: Option<Patience>, count: usize) -> Result<&'a Gate, SlotError> {
        let gate = match self {
            Self::Pool(gate) => gate,
            Self::Strand(strand) => strand.gate(),
            Self::Multi(multi) => return multi.enter(patience, count),
        };
        let patience = match patience {
            Some(patience) => patience,
            None => gate.entrance().plain(),
        };
        gate.enter(patience, count)?;
        Ok(gate)
    }

    /// Takes a slot and submits a closure in it.
    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    pub(crate) fn submit(self, job: impl Job) -> Result<(), SlotError> {
        let gate = self.enter_gate(None, 1)?;
        self.submit_at(gate, job);
        Ok(())
    }

    /// Takes a slot and spawns a future in it.
    pub(crate) fn spawn<F>(self, future: F) -> Result<(), SlotError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let gate = self.enter_gate(None, 1)?;
        match self {
            Self::Strand(strand) => strand.push_future(future),
            Self::Pool(_) | Self::Multi(_) => gate.spawn(future),
        }
        Ok(())
    }

    /// Submits a closure if a slot is free. Otherwise returns it in the error.
    pub(crate) fn try_submit<J: Job>(self, job: J) -> Result<(), SubmitError<J>> {
        match self.enter_gate(Some(Patience::None), 1) {
            Ok(gate) => {
                self.submit_at(gate, job);
                Ok(())
            }
            Err(reason) => Err(SubmitError::new(reason, job)),
        }
    }

    /// Submits a closure in a slot of `gate`. A target would cost the drop of its owned case.
    #[expect(clippy::inline_always, reason = "as for `submit`")]
    #[inline(always)]
    fn submit_at(self, gate: &Gate, job: impl Job) {
        match self {
            Self::Strand(strand) => strand.push_closure(job),
            Self::Pool(_) | Self::Multi(_) => gate.submit(job),
        }
    }

    /// Takes a slot if one is free. Otherwise returns the task in the error.
    pub(crate) fn try_enter<F>(self, task: F) -> Result<(Target<'a>, F), SubmitError<F>> {
        match self.enter(Some(Patience::None), 1) {
            Ok(target) => Ok((target, task)),
            Err(reason) => Err(SubmitError::new(reason, task)),
        }
    }

    /// Looks for a slot, with shards from the picked one on.
    fn look(self, picked: &mut Option<usize>, count: usize) -> Result<Found<'a>, SlotError> {
        match self {
            Self::Pool(gate) => Ok(Found::Line(gate)),
            Self::Strand(strand) => Ok(Found::Line(strand.gate())),
            Self::Multi(multi) => {
                let picked = *picked.get_or_insert_with(|| multi.pick());
                let (gate, has_slot) = multi.look_for_slots(picked, count)?;
                Ok(if has_slot {
                    Found::Slot(pool_target(gate))
                } else {
                    Found::Line(gate)
                })
            }
        }
    }

    /// Returns where the task of a slot of `gate` is enqueued.
    fn target(self, gate: &'a Gate) -> Target<'a> {
        match self {
            Self::Strand(strand) => Target::Strand(Cow::Borrowed(strand)),
            Self::Pool(_) | Self::Multi(_) => pool_target(gate),
        }
    }

    fn has_shards(self) -> bool {
        matches!(self, Self::Multi(_))
    }
}

/// Returns a number of slots that can be reserved: at least one, and no more than can be counted.
fn clamp(count: usize) -> usize {
    count.clamp(1, MOST_SLOTS)
}

fn pool_target(gate: &Gate) -> Target<'_> {
    Target::Pool(Cow::Borrowed(gate))
}
