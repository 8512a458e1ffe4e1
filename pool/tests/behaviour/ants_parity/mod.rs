//! What the tests of Go's pool `ants` v2.11.4 mean, asserted of this one, and those of its `ReleaseContext`.
//!
//! A test has the name of its model in snake case without `Test`: `TestAntsPoolWaitToGetWorker` is
//! `ants_pool_wait_to_get_worker`, `ExamplePool` is `example_pool`. The guide for those who come from ants has the list,
//! with the three tests that have no twin and why.
//!
//! ants' kinds of pool are those of [`kinds`]. Its `PreAlloc`, for which there is nothing to prepare here, becomes
//! threads that are there from the beginning. A goroutine that sleeps becomes a future that is suspended, or a closure
//! that waits at a gate or a barrier on a thread of its own; time is waited for nowhere.

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
