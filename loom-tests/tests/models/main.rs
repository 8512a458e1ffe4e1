//! The models that loom explores, one module for each family of promises.
#![cfg(anthill_loom)]

mod capacity;
mod close;
mod deques;
mod expiry;
mod figures;
mod futures;
mod lanes;
mod map;
mod multi;
mod once;
mod order;
mod reactor;
mod refused;
mod reopen;
mod results;
mod strand;
mod subpools;
mod threads;
mod together;
mod waiting;
mod wakeup;
mod weights;
