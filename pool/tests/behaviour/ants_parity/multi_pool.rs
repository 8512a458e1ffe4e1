//! Many pools behind one handle: ten shards of five slots each.

use std::thread;
use std::time::Duration;

use anthill::{Balance, BuildError, MultiPool, Pool, ShutdownError, SlotError};

use super::watch::{Dormitory, MINUTE, Watch};
use crate::support::{Gate, eventually};

const SHARDS: usize = 10;
const EACH: usize = 5;
const ALL: usize = SHARDS * EACH;

/// For ants' three kinds of multi-pool, what can be submitted to ours.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Closure,
    WithHandle,
    Future,
}

impl Way {
    pub(crate) fn submit(
        self,
        pool: &MultiPool,
        task: impl FnOnce() + Send + 'static,
    ) -> Result<(), SlotError> {
        match self {
            Self::Closure => pool.submit(task),
            Self::WithHandle => pool.submit_with_handle(task).map(drop),
            Self::Future => pool.spawn(async move { task() }),
        }
    }
}

/// Tasks that stay until they are let go.
struct Held {
    way: Way,
    watch: Watch,
    gate: Gate,
    dormitory: Dormitory,
}

impl Held {
    fn new(way: Way) -> Self {
        Self {
            way,
            watch: Watch::default(),
            gate: Gate::new(),
            dormitory: Dormitory::new(ALL),
        }
    }

    fn submit(&self, pool: &MultiPool) -> Result<(), SlotError> {
        let (own, watch) = (pool.clone(), self.watch.clone());
        if let Way::Future = self.way {
            let dormitory = self.dormitory.clone();
            let task = async move {
                let _inside = watch.enter(&own);
                dormitory.sleep().await;
            };
            return pool.spawn(task);
        }
        let gate = self.gate.clone();
        self.way.submit(pool, move || {
            let _inside = watch.enter(&own);
            gate.wait();
        })
    }

    /// As many as there are slots, all begun.
    fn fill(&self, pool: &MultiPool) {
        for _ in 0..ALL {
            self.submit(pool).unwrap();
        }
        eventually(|| self.watch.most() == ALL);
    }

    fn let_go(&self) {
        self.gate.open();
        self.dormitory.wake_all();
    }

    /// All have ended, and never were there more than there are slots.
    fn assert_over(&self, pool: &MultiPool) {
        assert_eq!(self.watch.ended(), ALL as u64);
        self.watch.assert_never_beyond(ALL);
        let stats = pool.stats();
        assert_eq!((stats.in_flight, stats.running, stats.threads), (0, 0, 0));
        assert!(pool.is_closed());
    }
}

fn ten_of_five(balance: Balance) -> MultiPool {
    let builder = Pool::builder().capacity(EACH).threads(0..=EACH);
    builder.build_multi(SHARDS, balance).unwrap()
}

/// One life: filled, looked at, closed, waited for.
fn filled_evenly(pool: &MultiPool, way: Way) {
    let held = Held::new(way);
    held.fill(pool);
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.free, stats.waiting), (ALL, 0, 0));
    assert_eq!((stats.capacity, pool.is_closed()), (ALL, false));
    for shard in pool.shards() {
        let stats = shard.stats();
        assert_eq!((stats.in_flight, stats.free, stats.waiting), (EACH, 0, 0));
    }
    // An index that is no shard's is ruled out by the slice.
    assert!(pool.shards().get(SHARDS).is_none());
    let refused = pool.try_submit(|| ()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.shutdown().wait_timeout(MINUTE));
        eventually(|| pool.is_closed());
        assert!(!waits.is_finished());
        held.let_go();
        assert_eq!(waits.join().unwrap(), Ok(()));
    });
    held.assert_over(pool);
    // In ants a second call is an error; here it finds that all has ended.
    assert_eq!(pool.shutdown().wait_timeout(MINUTE), Ok(()));
    assert_eq!(way.submit(pool, || ()), Err(SlotError::Closed));
}

fn filled_evenly_in_each_life(way: Way, balances: &[Balance]) {
    let builder = Pool::builder().capacity(EACH);
    let none = builder.clone().build_multi(0, Balance::RoundRobin);
    assert!(matches!(none, Err(BuildError::ZeroShards)));
    let none = builder.capacity(0).build_multi(SHARDS, Balance::RoundRobin);
    assert!(matches!(none, Err(BuildError::ZeroCapacity)));
    for &balance in balances {
        let pool = ten_of_five(balance);
        filled_evenly(&pool, way);
        pool.reopen().unwrap();
        filled_evenly(&pool, way);
        for shard in pool.shards() {
            shard.set_capacity(10);
        }
        assert_eq!(pool.stats().capacity, SHARDS * 10);
    }
}

const OF_ANTS: [Balance; 2] = [Balance::RoundRobin, Balance::LeastLoaded];

#[test]
fn multi_pool() {
    filled_evenly_in_each_life(Way::Closure, &OF_ANTS);
}

#[test]
fn multi_pool_with_func() {
    filled_evenly_in_each_life(Way::WithHandle, &OF_ANTS);
}

#[test]
fn multi_pool_with_func_generic() {
    let and_another = [OF_ANTS[0], OF_ANTS[1], Balance::PowerOfTwoChoices];
    filled_evenly_in_each_life(Way::Future, &and_another);
}

/// A wait without a deadline, and a wait whose deadline has passed.
fn waited_for_and_given_up(way: Way) {
    for balance in OF_ANTS {
        let pool = ten_of_five(balance);
        let held = Held::new(way);
        held.fill(&pool);
        held.let_go();
        assert_eq!(pool.shutdown().wait(), Ok(()));
        held.assert_over(&pool);
        assert_eq!(pool.shutdown().wait(), Ok(()));

        pool.reopen().unwrap();
        let held = Held::new(way);
        held.fill(&pool);
        let given_up = pool.shutdown().wait_timeout(Duration::ZERO).unwrap_err();
        let ShutdownError::Timeout(left) = given_up else {
            panic!("tasks remain in every shard");
        };
        assert_eq!(left.stats.in_flight, SHARDS * EACH);
        assert_eq!(way.submit(&pool, || ()), Err(SlotError::Closed));
        held.let_go();
        eventually(|| pool.stats().threads == 0);
        held.assert_over(&pool);
        assert_eq!(pool.shutdown().wait(), Ok(()));
    }
}

#[test]
fn multi_pool_release_context() {
    waited_for_and_given_up(Way::Closure);
}

#[test]
fn multi_pool_with_func_release_context() {
    waited_for_and_given_up(Way::WithHandle);
}

#[test]
fn multi_pool_with_func_generic_release_context() {
    waited_for_and_given_up(Way::Future);
}
