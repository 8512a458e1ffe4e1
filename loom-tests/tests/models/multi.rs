//! A `MultiPool` finds a free slot of any open shard.

use anthill::{Balance, MultiPool, Slot};
use loom_tests::{check, other, pool};

fn two_shards() -> MultiPool {
    let shards = [pool(1, 1), pool(1, 1)];
    MultiPool::new(shards, Balance::LeastLoaded).unwrap()
}

#[test]
fn submitters_at_once_find_both_free_slots() {
    check(|| {
        let pool = two_shards();
        let also = pool.clone();
        let there = other(move || also.try_slot().map(Slot::into_owned));
        let here = pool.try_slot();
        // Both see two equal shards, so both may pick the first.
        let there = there.join().unwrap();
        assert!(here.is_ok() && there.is_ok());
        drop((here, there));
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn wait_at_a_closed_shard_moves_to_an_open_one() {
    check(|| {
        let pool = two_shards();
        let [first, second] = [0, 1].map(|n| pool.shards()[n].try_slot().unwrap().into_owned());
        let also = pool.clone();
        let closer = other(move || {
            also.shards()[0].close();
            drop(second);
        });
        // Waits at the first shard, or finds it closed.
        let slot = pool.slot().wait().map(Slot::into_owned);
        closer.join().unwrap();
        assert!(slot.is_ok());
        assert_eq!(pool.shards()[1].in_flight(), 1);
        drop((slot, first));
        pool.shutdown().wait().unwrap();
    });
}
