//! Parking and waking threads and futures.

pub(crate) mod blocking;
mod parker;
pub(crate) mod reactor;
mod spin;
mod waiter;

pub(crate) use parker::{Parker, Unparked};
pub use reactor::Reactor;
pub(crate) use reactor::{Holder, MakeReactor, SharedReactor};
pub(crate) use spin::Spin;
pub(crate) use waiter::{Outcome, Waiter};
