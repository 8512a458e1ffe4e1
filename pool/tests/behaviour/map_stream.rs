//! Parallel maps over streams.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use futures_util::{Stream, StreamExt, stream};

use crate::map::{Count, Item, in_time};
use crate::support::{block_on, eventually, pool};

#[test]
fn stream_gives_results_in_order() {
    let pool = pool(100, 2);
    let results = pool.map_stream(stream::iter(0..10_000_u64), |n| n * 2);
    let results: Vec<_> = block_on(results.collect());
    assert!(results.into_iter().eq((0..10_000).map(|n| n * 2)));
}

#[test]
fn unordered_stream_is_complete() {
    let pool = pool(3, 2);
    let results = pool
        .map_stream(stream::iter(0..10_000_u64), |n| n)
        .unordered();
    let mut results: Vec<_> = block_on(results.collect());
    results.sort_unstable();
    assert!(results.into_iter().eq(0..10_000));
}

#[test]
fn full_line_leaves_the_stream_to_its_poller() {
    let builder = anthill::Pool::builder().capacity(1).threads(0..=1);
    let pool = builder.max_waiting(0).build().unwrap();
    let _held = pool.try_slot().unwrap();
    let results = pool.map_stream(stream::iter(0..1000), |n| n);
    assert_eq!(block_on(results.fold(0, async |sum, n| sum + n)), 499_500);
    assert_eq!(pool.stats().rejected_full, 0, "no item was refused");
}

#[test]
fn stream_awaits_slots_and_keeps_its_window() {
    let pool = pool(1, 1);
    let count = Arc::new(Count::default());
    let items = stream::iter(0..1000).map(|_| Item::new(&count));
    let results = pool.map_stream(items, |item| item).window(3);
    assert_eq!(block_on(results.map(drop).count()), 1000);
    assert!(count.most.load(Ordering::SeqCst) <= 3);
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn item_is_mapped_while_the_stream_is_pending() {
    let pool = pool(10, 1);
    let mut sent = 0;
    let items = stream::poll_fn(move |_| {
        sent += 1;
        if sent == 1 {
            Poll::Ready(Some(7))
        } else {
            Poll::Pending
        }
    });
    let mut results = pool.map_stream(items, |n| n * 6);
    assert_eq!(block_on(results.next()), Some(42));
    let is_pending = block_on(poll_fn(|cx| {
        Poll::Ready(results.poll_next_unpin(cx).is_pending())
    }));
    assert!(is_pending);
}

#[test]
fn closed_pool_leaves_the_stream_to_its_poller() {
    let pool = pool(10, 1);
    let mut results = pool.map_stream(stream::iter(0..1000), |n| n);
    let mut sum = block_on(results.next()).unwrap();
    pool.close();
    sum += block_on(results.fold(0, |sum, n| async move { sum + n }));
    assert_eq!(pool.stats().rejected_closed, 0, "no item was refused");
    assert_eq!(sum, 499_500);
}

#[test]
fn consumer_of_a_stream_may_wait_for_slots() {
    let pool = pool(1, 1);
    let sum = in_time(move || {
        block_on(async {
            let mut results = pool.map_stream(stream::iter(0..100_u32), |n| n);
            let mut sum = 0;
            while let Some(n) = results.next().await {
                sum += pool.run(move || n).await.unwrap();
            }
            sum
        })
    });
    assert_eq!(sum, 4950);
}

#[test]
fn consumer_may_wait_for_slots_after_the_panic_of_an_item() {
    let pool = pool(1, 1);
    let panics = in_time(move || {
        let mut results = pool.map_stream(stream::iter(0..100_u32), |n| {
            assert!(n % 2 == 0, "odd");
        });
        let mut panics = 0;
        loop {
            match catch_unwind(AssertUnwindSafe(|| block_on(results.next()))) {
                Ok(None) => return panics,
                Ok(Some(())) => {}
                Err(_) => panics += 1,
            }
            block_on(pool.run(|| ())).unwrap();
        }
    });
    assert_eq!(panics, 50);
}

#[test]
fn source_of_a_stream_may_use_the_same_pool() {
    for capacity in [1, 2, 3] {
        let pool = pool(capacity, 2);
        let sum = in_time(move || {
            let first = pool.map_stream(stream::iter(0..1000_u64), |n| n + 1);
            let second = pool.map_stream(first, |n| n * 2).unordered();
            block_on(second.fold(0, async |sum, n| sum + n))
        });
        assert_eq!(sum, 1_001_000);
    }
}

#[test]
fn first_error_ends_the_stream_and_cancels_the_rest() {
    let pool = pool(100, 1);
    let count = Arc::new(Count::default());
    let items = stream::iter(0..).map(|n| (n, Item::new(&count)));
    let f = |(n, _item)| if n == 5 { Err(n) } else { Ok(n) };
    let mut results = pool.map_stream(items, f).stop_at_error();
    let all: Vec<_> = block_on(results.by_ref().collect());
    assert_eq!(all, [Ok(0), Ok(1), Ok(2), Ok(3), Ok(4), Err(5)]);
    assert_eq!(results.size_hint(), (0, Some(0)));
    assert_eq!(block_on(results.next()), None);
    eventually(|| count.now.load(Ordering::SeqCst) == 0 && pool.in_flight() == 0);
}
