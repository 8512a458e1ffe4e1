//! Many pools behind one handle.

mod balance;
mod lives;
mod waits;

use std::thread;

use anthill::{Balance, MultiPool, Pool, Slot, SlotError};

use crate::support::pool;

/// Shards of these capacities, on one thread each.
fn shards<const N: usize>(capacities: [usize; N], balance: Balance) -> MultiPool {
    MultiPool::new(capacities.map(|capacity| pool(capacity, 1)), balance).unwrap()
}

fn round_robin<const N: usize>(capacities: [usize; N]) -> MultiPool {
    shards(capacities, Balance::RoundRobin)
}

fn hold(multi: &MultiPool, shard: usize, slots: usize) -> Vec<Slot<'_>> {
    let slots = (0..slots).map(|_| multi.shards()[shard].try_slot());
    slots.collect::<Result<_, _>>().unwrap()
}

fn accepted(multi: &MultiPool) -> Vec<u64> {
    let stats = multi.shards().iter().map(Pool::stats);
    stats.map(|stats| stats.accepted).collect()
}

/// What each shard counts of `Full`, `Closed`, `Timeout` and `WouldDeadlock`.
fn rejected(multi: &MultiPool) -> Vec<[u64; 4]> {
    let stats = multi.shards().iter().map(Pool::stats);
    stats
        .map(|stats| {
            [
                stats.rejected_full,
                stats.rejected_closed,
                stats.rejected_timeout,
                stats.rejected_would_deadlock,
            ]
        })
        .collect()
}

fn waiting(multi: &MultiPool) -> Vec<usize> {
    let stats = multi.shards().iter().map(Pool::stats);
    stats.map(|stats| stats.waiting).collect()
}

/// Starts a thread that submits a task, and returns the thread with the submit's result.
fn submitter(multi: &MultiPool) -> thread::JoinHandle<Result<(), SlotError>> {
    let multi = multi.clone();
    thread::spawn(move || multi.submit(|| ()))
}
