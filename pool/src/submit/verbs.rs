//! The calls that submit a task, the same for every handle.

use std::future::Future;

use crate::errors::{SlotError, SubmitError};
use crate::join::JoinHandle;
use crate::multi::MultiPool;
use crate::pool::Pool;
use crate::strand::Strand;
use crate::submit::reserve::{Reserve, Source};
use crate::submit::run::Run;
use crate::submit::slot::Slot;
use crate::task::NoLimit;

/// Implements the calls for a handle. The examples create the handle by `$make` and call it
/// `$name`.
macro_rules! verbs {
    ($handle:ty, $name:literal, $make:literal) => {
        /// Submitting tasks. See the [table](Pool#submitting) for what each call returns when
        /// refused.
        impl $handle {
            /// Submits a closure, and blocks the calling thread while no slot is free. In async
            /// code, use `slot().await?.submit(f)` or `run(f).await`.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            /// for n in 0..100 {
            #[doc = concat!("    ", $name, ".submit(move || println!(\"{n}\"))?;")]
            /// }
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// The [`SlotError`]s of [`Reserve::wait`]. The closure is dropped; `try_submit` and `slot`
            /// keep it.
            ///
            /// # Panics
            ///
            /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
            /// tokio.
            #[inline]
            pub fn submit<F>(&self, f: F) -> Result<(), SlotError>
            where
                F: FnOnce() + Send + 'static,
            {
                self.source().submit(f)
            }

            /// Submits a closure if a slot is free now. Never blocks.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("if let Err(refused) = ", $name, ".try_submit(|| println!(\"in the pool\")) {")]
            ///     refused.into_task()(); // on this thread
            /// }
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// A [`SubmitError`] with the closure: `Full` or `Closed`.
            pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
            where
                F: FnOnce() + Send + 'static,
            {
                self.source().try_submit(f)
            }

            /// Submits a closure and returns a handle to its result. Blocks the calling thread
            /// while no slot is free. In async code, use `slot().await?.submit_with_handle(f)`.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("let answer = ", $name, ".submit_with_handle(|| 6 * 7)?;")]
            /// assert_eq!(answer.wait()?, 42);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// The [`SlotError`]s of [`Reserve::wait`]. The closure is dropped.
            ///
            /// # Panics
            ///
            /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
            /// tokio.
            pub fn submit_with_handle<F, T>(&self, f: F) -> Result<JoinHandle<T>, SlotError>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                Ok(self.source().enter(None, 1)?.submit_with_handle(f, NoLimit))
            }

            /// Spawns a future, and blocks the calling thread while no slot is free. In async code,
            /// use `slot().await?.spawn(future)`. The future keeps its slot until it ends, even
            /// while it is suspended.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!($name, ".spawn(async { println!(\"a future\") })?;")]
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// The [`SlotError`]s of [`Reserve::wait`]. The future is dropped; `try_spawn` and `slot`
            /// keep it.
            ///
            /// # Panics
            ///
            /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
            /// tokio.
            pub fn spawn<F>(&self, future: F) -> Result<(), SlotError>
            where
                F: Future<Output = ()> + Send + 'static,
            {
                self.source().spawn(future)
            }

            /// Spawns a future if a slot is free now. Never blocks.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("if ", $name, ".try_spawn(async { println!(\"a future\") }).is_err() {")]
            ///     println!("too busy");
            /// }
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// A [`SubmitError`] with the future: `Full` or `Closed`.
            pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
            where
                F: Future<Output = ()> + Send + 'static,
            {
                let (target, future) = self.source().try_enter(future)?;
                target.spawn(future);
                Ok(())
            }

            /// Spawns a future and returns a handle to its output. Blocks the calling thread while
            /// no slot is free. In async code, use `slot().await?.spawn_with_handle(future)`.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("let answer = ", $name, ".spawn_with_handle(async { 6 * 7 })?;")]
            /// assert_eq!(answer.wait()?, 42);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// The [`SlotError`]s of [`Reserve::wait`]. The future is dropped.
            ///
            /// # Panics
            ///
            /// With the feature `tokio`, if no slot is free and the calling thread drives async tasks of
            /// tokio.
            pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SlotError>
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                Ok(self.source().enter(None, 1)?.spawn_with_handle(future, NoLimit))
            }

            /// Returns a value that reserves a slot, runs a closure in it and returns its result:
            /// await it, or block a thread with its `wait`.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("assert_eq!(", $name, ".run(|| 6 * 7).await?, 42);")]
            /// # Ok(())
            /// # }
            /// ```
            pub fn run<F, T>(&self, f: F) -> Run<'_, F, T>
            where
                F: FnOnce() -> T + Send + 'static,
                T: Send + 'static,
            {
                Run::new(self.slot(), f)
            }

            /// Returns a value that reserves a [`Slot`]: await it, or block a thread with its
            /// `wait`.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("let slot = ", $name, ".slot().wait()?; // reserved for one task")]
            /// slot.submit(|| println!("in it"));
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            pub fn slot(&self) -> Reserve<'_> {
                Reserve::new(self.source(), 1)
            }

            /// Returns a value that reserves `count` slots at once for one task: await it, or block
            /// a thread with its `wait`. The task holds them until it ends.
            ///
            /// Slots can so stand for something else than tasks, such as the MiB of a decoder. A
            /// large request keeps its place in line: smaller ones behind it wait until it has all
            /// its slots. It holds none while it waits, so requests do not deadlock.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("let slot = ", $name, ".slots(64).wait()?; // of 1024, for 64 MB")]
            /// slot.submit(|| println!("decoded"));
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// The wait returns `TooMany` at once if `count` exceeds the capacity, and when the
            /// capacity shrinks below it. A `count` of 0 counts as 1.
            pub fn slots(&self, count: usize) -> Reserve<'_> {
                Reserve::new(self.source(), count)
            }

            /// Reserves a slot if one is free now. Never blocks.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("let slot = ", $name, ".try_slot()?;")]
            /// slot.submit(|| println!("in it"));
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// `Full` or `Closed`.
            pub fn try_slot(&self) -> Result<Slot<'_>, SlotError> {
                self.try_slots(1)
            }

            /// Reserves `count` slots for one task if they are free now. Never blocks.
            ///
            /// ```
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            #[doc = $make]
            #[doc = concat!("if let Ok(slot) = ", $name, ".try_slots(64) {")]
            ///     slot.submit(|| println!("decoded"));
            /// }
            #[doc = "# pool.shutdown().wait()?;"]
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// `Full`, `Closed` or `TooMany`.
            pub fn try_slots(&self, count: usize) -> Result<Slot<'_>, SlotError> {
                Reserve::new(self.source(), count).try_now()
            }
        }
    };
}

verbs!(
    Pool,
    "pool",
    "let pool = anthill::Pool::builder().build()?;"
);
verbs!(
    Strand,
    "strand",
    "let pool = anthill::Pool::builder().build()?;\nlet strand = pool.strand();"
);
verbs!(
    MultiPool,
    "pool",
    "let pool = anthill::Pool::builder().build_multi(2, Default::default())?;"
);

impl Pool {
    fn source(&self) -> Source<'_> {
        Source::Pool(self.gate())
    }
}

impl Strand {
    fn source(&self) -> Source<'_> {
        Source::Strand(self)
    }
}

impl MultiPool {
    fn source(&self) -> Source<'_> {
        Source::Multi(self)
    }
}
