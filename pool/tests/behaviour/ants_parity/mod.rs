//! What the tests of Go's pool `ants` v2.11.4, and those of its `ReleaseContext`, assert, for this pool.
//!
//! A test has the name of its original in snake case without `Test`: `TestAntsPoolWaitToGetWorker`
//! is `ants_pool_wait_to_get_worker`, `ExamplePool` is `example_pool`. The guide from ants has the
//! list, and the reasons why three tests have no counterpart.
//!
//! The kinds of pool of ants are in [`kinds`]. Its `PreAlloc` becomes a minimum of threads. A
//! goroutine that sleeps becomes a suspended future, or a closure that waits at a gate or a barrier.
//! No test waits for time to pass.

mod default_pool;
mod examples;
mod full;
mod idle_workers;
mod kinds;
mod multi_pool;
mod panics;
mod reboot;
mod release;
mod settings;
mod tune;
mod unlimited;
mod waiting;
mod watch;
