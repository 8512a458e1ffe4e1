//! Subpools: settings, priorities, and the limit of threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use anthill::{BuildError, Group, JoinError, Pool, Priority, ReopenError, SlotError};

use crate::support::{Gate, eventually, occupy, pool};

/// A list to which tasks add what they are.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<Priority>>>);

impl Order {
    fn task(&self, what: Priority) -> impl FnOnce() + Send + 'static + use<> {
        let order = self.clone();
        move || order.0.lock().unwrap().push(what)
    }

    fn counts(&self, first: usize) -> [usize; 3] {
        let order = self.0.lock().unwrap();
        [Priority::High, Priority::Normal, Priority::Low].map(|priority| {
            let first = order.iter().take(first);
            first.filter(|other| **other == priority).count()
        })
    }
}

/// How many tasks are inside at once, and the most that ever were.
#[derive(Clone, Default)]
struct Inside(Arc<(AtomicUsize, AtomicUsize)>);

impl Inside {
    fn task(&self) -> impl FnOnce() + Send + 'static + use<> {
        let inside = self.clone();
        move || {
            let (now, most) = &*inside.0;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

fn prioritized(pool: &Pool, priority: Priority) -> Pool {
    pool.subpool().priority(priority).build().unwrap()
}

fn capped(pool: &Pool, threads: usize) -> Pool {
    pool.subpool().threads(threads).build().unwrap()
}

#[test]
fn invalid_settings_of_a_subpool_are_refused() {
    let pool = pool(1, 1);
    let no_slot = pool.subpool().capacity(0).build();
    assert!(matches!(no_slot, Err(BuildError::ZeroCapacity)));
    let no_thread = pool.subpool().threads(0).build();
    let Err(error @ BuildError::ZeroThreads) = no_thread else {
        panic!("{no_thread:?}");
    };
    assert!(error.to_string().contains("use 1 or more"), "{error}");
}

#[test]
fn subpool_inherits_the_defaults_of_its_pool() {
    let pool = Pool::builder().nonblocking(true).build().unwrap();
    let side = pool.subpool().build().unwrap();
    assert_eq!(side.capacity(), 1024);
    side.set_capacity(0);
    assert!(matches!(side.submit(|| ()), Err(SlotError::Full)));
    let other = pool.subpool().capacity(1).nonblocking(false).max_waiting(0);
    let other = other.build().unwrap();
    let held = other.slot().wait().unwrap();
    assert!(matches!(other.submit(|| ()), Err(SlotError::Full)));
    drop(held);
    let endless = pool.subpool().capacity(usize::MAX).build().unwrap();
    assert_eq!(endless.capacity(), usize::MAX);
    pool.shutdown().wait().unwrap();
    assert!(pool.subpool().threads(1).build().unwrap().is_closed());
}

#[test]
fn backlogs_of_three_priorities_are_served_8_4_1() {
    let (pool, gate, order) = (pool(1, 1), Gate::new(), Order::default());
    let subpools = [Priority::Low, Priority::Normal, Priority::High];
    let subpools = subpools.map(|priority| (prioritized(&pool, priority), priority));
    // The task that holds the worker meanwhile is the first of normal priority.
    order.task(Priority::Normal)();
    occupy(&pool, &gate);
    for (subpool, priority) in &subpools {
        for _ in 0..100 {
            subpool.submit(order.task(*priority)).unwrap();
        }
    }
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(order.counts(26), [16, 8, 2]);
}

#[test]
fn high_closure_overtakes_a_backlog() {
    let (pool, gate, order) = (pool(100, 1), Gate::new(), Order::default());
    let high = prioritized(&pool, Priority::High);
    occupy(&pool, &gate);
    for _ in 0..50 {
        pool.submit(order.task(Priority::Normal)).unwrap();
    }
    high.submit(order.task(Priority::High)).unwrap();
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(order.counts(1), [1, 0, 0]);
}

#[test]
fn high_closure_of_a_worker_overtakes_its_own_queue() {
    let (pool, order) = (pool(100, 1), Order::default());
    let (own, high, later) = (
        pool.clone(),
        prioritized(&pool, Priority::High),
        order.clone(),
    );
    let task = move || {
        for _ in 0..10 {
            own.submit(later.task(Priority::Normal)).unwrap();
        }
        high.submit(later.task(Priority::High)).unwrap();
    };
    pool.submit_with_handle(task).unwrap().wait().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(order.counts(1), [1, 0, 0]);
}

#[test]
fn endless_streams_do_not_starve_a_low_closure() {
    fn stream(subpool: &Pool, ended: Arc<AtomicUsize>) {
        if ended.load(Ordering::SeqCst) == 0 {
            let next = subpool.clone();
            _ = subpool.try_submit(move || stream(&next, ended));
        }
    }
    let pool = pool(100, 1);
    let ended = Arc::new(AtomicUsize::new(0));
    for priority in [Priority::High, Priority::Normal] {
        let subpool = prioritized(&pool, priority);
        for _ in 0..20 {
            stream(&subpool, Arc::clone(&ended));
        }
    }
    let end = Arc::clone(&ended);
    let low = prioritized(&pool, Priority::Low);
    let low = low.submit_with_handle(move || end.store(1, Ordering::SeqCst));
    low.unwrap().wait().unwrap();
    pool.shutdown().wait().unwrap();
}

#[test]
fn blocked_closures_leave_workers_to_other_subpools() {
    let (pool, gate) = (pool(1, 2), Gate::new());
    let (blocked, free) = (capped(&pool, 1), capped(&pool, 1));
    for _ in 0..100 {
        blocked.submit(gate.waiter()).unwrap();
    }
    for n in 0..10 {
        let answer = free.submit_with_handle(move || n).unwrap();
        assert_eq!(answer.wait().unwrap(), n);
    }
    assert_eq!(blocked.in_flight(), 100);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn thread_limit_of_a_subpool_bounds_running_closures() {
    let (pool, gate) = (pool(10, 4), Gate::new());
    let (side, inside) = (capped(&pool, 2), Inside::default());
    let (said, begun) = mpsc::channel();
    for _ in 0..2 {
        let (gate, said) = (gate.clone(), said.clone());
        let count = inside.task();
        let block = move || {
            said.send(()).unwrap();
            gate.wait();
            count();
        };
        side.submit(block).unwrap();
    }
    for _ in 0..2 {
        begun.recv().unwrap();
    }
    let strand = side.strand();
    for n in 0..2_000 {
        match n % 4 {
            0 => side.submit(inside.task()).unwrap(),
            1 => side
                .try_slot()
                .map_or((), |slot| slot.submit(inside.task())),
            2 => drop(side.submit_with_handle(inside.task()).unwrap()),
            _ => _ = strand.try_submit(inside.task()),
        }
        if n == 500 {
            // The limit is reached, and the other two workers are left to the pool.
            let (meet, both) = (Arc::new(std::sync::Barrier::new(2)), [(), ()]);
            let handles = both.map(|()| {
                let meet = Arc::clone(&meet);
                pool.submit_with_handle(move || _ = meet.wait()).unwrap()
            });
            for handle in handles {
                handle.wait().unwrap();
            }
            assert_eq!(inside.most(), 0);
            gate.open();
        }
    }
    pool.shutdown().wait().unwrap();
    assert!((1..=2).contains(&inside.most()), "{}", inside.most());
    assert_eq!(pool.stats().completed, side.stats().accepted + 2);
}

#[test]
fn limit_of_one_keeps_the_order() {
    let pool = pool(1, 4);
    let side = capped(&pool, 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    for n in 0..500 {
        let order = Arc::clone(&order);
        side.submit(move || order.lock().unwrap().push(n)).unwrap();
    }
    side.shutdown().wait().unwrap();
    assert!(order.lock().unwrap().iter().copied().eq(0..500));
}

#[test]
fn futures_are_not_limited() {
    let (pool, gate) = (pool(1, 2), Gate::new());
    let side = capped(&pool, 1);
    occupy(&side, &gate);
    let answer = side.spawn_with_handle(async { 3 }).unwrap();
    assert_eq!(answer.wait().unwrap(), 3);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn discard_of_the_pool_drops_tasks_behind_the_limit() {
    let (pool, gate) = (pool(10, 4), Gate::new());
    let side = capped(&pool, 1);
    occupy(&side, &gate);
    let behind = [(); 5].map(|()| side.submit_with_handle(|| ()).unwrap());
    let strand = side.strand();
    for _ in 0..100 {
        strand.submit(|| unreachable!()).unwrap();
    }
    pool.discard();
    // The calling thread has dropped them: the closure that runs is all that is left.
    assert_eq!((side.in_flight(), pool.stats().discarded), (1, 105));
    for handle in behind {
        assert!(matches!(handle.wait(), Err(JoinError::Cancelled)));
    }
    assert_eq!(side.reopen(), Err(ReopenError::PoolClosed));
    gate.open();
    pool.shutdown().wait().unwrap();
    pool.reopen().unwrap();
    side.reopen().unwrap();
    let answer = side.submit_with_handle(|| 7).unwrap();
    assert_eq!(answer.wait().unwrap(), 7);
}

#[test]
fn discarded_subpool_runs_again_after_a_reopen() {
    let (pool, gate) = (pool(10, 2), Gate::new());
    let side = capped(&pool, 1);
    occupy(&side, &gate);
    let behind = side.submit_with_handle(|| ()).unwrap();
    side.discard();
    assert_eq!(side.reopen(), Err(ReopenError::Discarding));
    gate.open();
    assert!(matches!(behind.wait(), Err(JoinError::Cancelled)));
    side.shutdown().wait().unwrap();
    side.reopen().unwrap();
    assert_eq!(side.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
    assert!(!pool.is_closed());
}

#[test]
fn close_runs_tasks_behind_the_limit() {
    let (pool, gate, ran) = (pool(10, 2), Gate::new(), Arc::new(AtomicUsize::new(0)));
    let side = capped(&pool, 1);
    occupy(&side, &gate);
    for _ in 0..50 {
        let ran = Arc::clone(&ran);
        side.submit(move || _ = ran.fetch_add(1, Ordering::SeqCst))
            .unwrap();
    }
    side.close();
    assert!(matches!(side.submit(|| ()), Err(SlotError::Closed)));
    // Opened again while the backlog of the old life waits.
    side.reopen().unwrap();
    let last = side.submit_with_handle(|| ()).unwrap();
    gate.open();
    last.wait().unwrap();
    side.shutdown().wait().unwrap();
    assert_eq!((ran.load(Ordering::SeqCst), side.in_flight()), (50, 0));
}

#[test]
fn panic_does_not_use_up_the_limit() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let pool = pool(10, 2);
    let side = capped(&pool, 1);
    for _ in 0..10 {
        let panic = || std::panic::resume_unwind(Box::new(()));
        side.submit(panic).unwrap();
        let bomb = Bomb;
        side.submit(move || _ = &bomb).unwrap();
    }
    assert_eq!(side.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().panicked, 20);
}

#[test]
fn cancelled_closure_does_not_run() {
    let (pool, gate) = (pool(10, 2), Gate::new());
    let side = capped(&pool, 1);
    occupy(&side, &gate);
    let cancelled = side.submit_with_handle(|| unreachable!()).unwrap();
    let behind = side.submit_with_handle(|| 7).unwrap();
    cancelled.cancel();
    gate.open();
    assert!(matches!(
        cancelled.wait(),
        Err::<(), _>(JoinError::Cancelled)
    ));
    assert_eq!(behind.wait().unwrap(), 7);
    eventually(|| side.in_flight() == 0);
}

#[test]
fn groups_and_scopes_keep_to_the_limit() {
    let pool = pool(10, 4);
    let (side, inside) = (capped(&pool, 2), Inside::default());
    let mut group = Group::new();
    for _ in 0..100 {
        group.push(side.submit_with_handle(inside.task()).unwrap());
    }
    assert_eq!(group.wait().values().unwrap().len(), 100);
    side.scope(|scope| {
        for _ in 0..100 {
            scope.submit(inside.task()).unwrap();
        }
    });
    assert!((1..=2).contains(&inside.most()), "{}", inside.most());
    // All threads of the limit may wait for parts of their own work: they run the parts.
    let own = side.clone();
    let outer = side.submit_with_handle(move || {
        let mut sum = 0;
        own.scope(|scope| scope.submit(|| sum += 3).unwrap());
        sum + own.submit_with_handle(|| 4).unwrap().wait().unwrap()
    });
    assert_eq!(outer.unwrap().wait().unwrap(), 7);
}

#[test]
fn capped_closure_keeps_its_priority() {
    let (pool, gate, order) = (pool(100, 1), Gate::new(), Order::default());
    let high = pool.subpool().priority(Priority::High).threads(1);
    let high = high.build().unwrap();
    occupy(&pool, &gate);
    for _ in 0..50 {
        pool.submit(order.task(Priority::Normal)).unwrap();
        high.submit(order.task(Priority::High)).unwrap();
    }
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(order.counts(11), [8, 3, 0]);
}
