//! Parallel maps over iterators.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anthill::Pool;

use crate::support::{Gate, eventually, occupy, pool};

/// Counts how many there are, and the most there were.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) now: AtomicUsize,
    pub(crate) most: AtomicUsize,
}

pub(crate) struct Item(Arc<Count>);

impl Item {
    pub(crate) fn new(count: &Arc<Count>) -> Self {
        let now = count.now.fetch_add(1, Ordering::SeqCst) + 1;
        count.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn results_come_in_order() {
    let pool = pool(100, 4);
    let results = pool.map(0..100_000_u32, |n| n.wrapping_mul(n));
    assert!(results.eq((0..100_000_u32).map(|n| n.wrapping_mul(n))));
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn unordered_results_are_complete_and_overtake_slow_ones() {
    let pool = pool(100, 2);
    let gate = Gate::new();
    let slow = gate.clone();
    let results = pool.map(0..10, move |n| {
        if n == 0 {
            slow.wait();
        }
        n
    });
    let mut results = results.unordered();
    let first = results.next().unwrap();
    assert_ne!(first, 0);
    gate.open();
    let mut all: Vec<_> = std::iter::once(first).chain(results).collect();
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
}

#[test]
fn map_takes_no_more_items_than_its_window() {
    const WINDOW: usize = 7;
    let pool = pool(100, 3);
    let count = Arc::new(Count::default());
    let items = (0..5000).map(|_| Item::new(&count));
    let results = pool.map(items, |item| item).window(WINDOW);
    // Each result lives until the next is asked for.
    assert_eq!(results.map(drop).count(), 5000);
    let most = count.most.load(Ordering::SeqCst);
    assert!(most <= WINDOW, "{most} at a time");
    assert_eq!(count.now.load(Ordering::SeqCst), 0);
}

#[test]
fn map_is_lazy_and_bounded_by_default() {
    let pool = pool(10_000, 2);
    let count = Arc::new(Count::default());
    let items = std::iter::repeat_with(|| Item::new(&count));
    let mut results = pool.map(items, drop);
    assert_eq!(count.most.load(Ordering::SeqCst), 0, "nothing is taken yet");
    for _ in 0..50_000 {
        results.next().unwrap();
    }
    drop(results);
    let most = count.most.load(Ordering::SeqCst);
    assert!(most <= 2 * 1024, "{most} at a time");
    eventually(|| count.now.load(Ordering::SeqCst) == 0);
}

#[test]
fn first_error_ends_the_map_and_cancels_the_rest() {
    let pool = pool(100, 1);
    let count = Arc::new(Count::default());
    let items = (0..).map(|n| (n, Item::new(&count)));
    let f = |(n, _item)| if n == 5 { Err(n) } else { Ok(n) };
    let results: Vec<_> = pool.map(items, f).stop_at_error().collect();
    assert_eq!(results, [Ok(0), Ok(1), Ok(2), Ok(3), Ok(4), Err(5)]);
    eventually(|| count.now.load(Ordering::SeqCst) == 0 && pool.in_flight() == 0);
    let first: Result<Vec<i32>, i32> = pool
        .map(0.., |n| if n < 3 { Ok(n) } else { Err(n) })
        .stop_at_error()
        .collect();
    assert_eq!(first, Err(3));
}

#[test]
fn panic_arrives_where_the_item_would() {
    let pool = pool(100, 2);
    let mut results = pool.map(0..6, |n| {
        assert!(n != 2, "no two");
        n
    });
    assert_eq!((results.next(), results.next()), (Some(0), Some(1)));
    let panic = catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"no two"));
    assert_eq!(results.collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn dropped_map_cancels_what_has_not_begun() {
    let pool = pool(100, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    let count = Arc::new(Count::default());
    let ran = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&ran);
    let items = (0..100).map(|_| Item::new(&count));
    let mut results = pool.map(items, move |_item| counts.fetch_add(1, Ordering::SeqCst));
    let fills = std::thread::scope(|scope| {
        let first = scope.spawn(|| results.next());
        eventually(|| pool.in_flight() == 5);
        gate.open();
        first.join().unwrap()
    });
    assert_eq!(fills, Some(0));
    let next = Gate::new();
    occupy(&pool, &next);
    drop(results);
    assert_eq!(pool.in_flight(), 1, "the slots are free at once");
    assert_eq!(count.now.load(Ordering::SeqCst), 0);
    next.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn map_inside_its_own_pool_does_not_deadlock() {
    for capacity in [1, 2, 50] {
        let pool = pool(capacity, 1);
        let inner = pool.clone();
        let sums = pool.submit_with_handle(move || {
            let ordered: u32 = inner.map(0..1000, |n| n).sum();
            let unordered: u32 = inner.map(0..1000, |n| n).unordered().sum();
            (ordered, unordered)
        });
        assert_eq!(sums.unwrap().wait().unwrap(), (499_500, 499_500));
    }
}

#[test]
fn caller_computes_what_the_pool_refuses() {
    let refusing = Pool::builder()
        .capacity(1)
        .nonblocking(true)
        .build()
        .unwrap();
    let held = refusing.try_slot().unwrap();
    assert_eq!(refusing.map(0..10, |n| n).sum::<i32>(), 45);
    drop(held);
    let closed = pool(10, 1);
    closed.close();
    assert_eq!(closed.map(0..10, |n| n).sum::<i32>(), 45);
    let mut half = refusing.map(0..1000, |n| n);
    let first: i32 = half.by_ref().take(10).sum();
    refusing.close();
    assert_eq!(first + half.sum::<i32>(), 499_500);
}

#[test]
fn map_blocks_for_its_first_slot_only() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    std::thread::scope(|scope| {
        let sum = scope.spawn(|| pool.map(0..100, |n| n).sum::<i32>());
        eventually(|| pool.stats().waiting == 1);
        drop(held);
        assert_eq!(sum.join().unwrap(), 4950);
    });
}

#[test]
fn discarded_items_are_not_lost_in_silence() {
    let pool = pool(100, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    let mut results = pool.map(0..10, |n| n);
    let lost = std::thread::scope(|scope| {
        let next = scope.spawn(|| catch_unwind(AssertUnwindSafe(|| results.next())).is_err());
        // A task that is queued after the discard waits for the worker.
        eventually(|| pool.stats().queued > 0);
        pool.discard();
        next.join().unwrap()
    });
    assert!(lost);
    gate.open();
}

#[test]
fn size_hint_is_exact_for_exact_iterators() {
    let pool = pool(100, 2);
    let mut results = pool.map(0..100, |n| n);
    for left in (1..=100).rev() {
        assert_eq!(results.size_hint(), (left, Some(left)));
        results.next().unwrap();
    }
    assert_eq!(results.size_hint(), (0, Some(0)));
    assert_eq!((results.next(), results.next()), (None, None));
}

/// Runs `f` on a thread of its own and returns its value. Panics if it does not end.
pub(crate) fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(f);
    eventually(|| thread.is_finished());
    thread.join().unwrap()
}

#[test]
fn source_of_a_map_may_use_the_same_pool() {
    for capacity in [1, 2, 3] {
        let pool = pool(capacity, 2);
        let sum = in_time(move || {
            let first = pool.map(0..1000_u64, |n| n + 1);
            let second = pool.map(first, |n| n * 2).unordered();
            pool.map(second, |n| n).sum::<u64>()
        });
        assert_eq!(sum, 1_001_000);
    }
}

#[test]
fn map_finds_its_end_without_a_slot() {
    let pool = pool(1, 1);
    let ends = in_time(move || {
        let mut results = pool.map([1], |n| n);
        assert_eq!(results.next(), Some(1));
        let _held = pool.try_slot().unwrap();
        (results.next(), pool.map([0; 0], |n| n).next())
    });
    assert_eq!(ends, (None, None));
}

#[test]
fn map_may_become_unordered_after_its_first_result() {
    let pool = pool(100, 2);
    let mut all = in_time(move || {
        let mut results = pool.map(0..100, |n| n);
        let first = results.next();
        let mut results = results.unordered();
        let second = results.next();
        let results = results.unordered();
        first
            .into_iter()
            .chain(second)
            .chain(results)
            .collect::<Vec<_>>()
    });
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn map_that_gets_no_slot_counts_no_refusal() {
    let pool = pool(1, 1);
    let inner = pool.clone();
    let sum = move || inner.map(0..1000, |n| n).sum::<i32>();
    assert_eq!(sum(), 499_500);
    let nested = pool.submit_with_handle(sum.clone()).unwrap();
    assert_eq!(nested.wait().unwrap(), 499_500);
    pool.close();
    assert_eq!(sum(), 499_500);
    let stats = pool.stats();
    assert_eq!((stats.rejected_full, stats.rejected_closed), (0, 0));
    assert_eq!(stats.rejected_would_deadlock, 0);
}

#[test]
fn panic_of_the_source_loses_no_item() {
    let pool = pool(100, 2);
    let items = (0..10_000).inspect(|n| assert!(*n != 7777, "unlucky"));
    let mut results = pool.map(items, |n| n);
    let mut seen = Vec::new();
    let panics = std::iter::from_fn(|| match catch_unwind(AssertUnwindSafe(|| results.next())) {
        Ok(None) => None,
        Ok(Some(n)) => {
            seen.push(n);
            Some(0)
        }
        Err(_) => Some(1),
    });
    assert_eq!(panics.sum::<i32>(), 1);
    assert!(seen.into_iter().eq((0..7777).chain(7778..10_000)));
    eventually(|| pool.in_flight() == 0);
}
