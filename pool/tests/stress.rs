//! Everything at once, under real threads: tasks of every kind, panics, tuning, expiry at any moment, waits given up.
//! Afterwards the books must balance: every accepted task ended exactly once, and no slot is missing.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anthill::{JoinError, Pool, Strand, SubmitError};
use support::{block_on, yield_now};

const SUBMITTERS: u64 = 4;
const TASKS: u64 = 100_000;
const MOST: usize = 16;

/// A generator that is random enough, and gives the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What became of the tasks, counted from outside.
#[derive(Default)]
struct Books {
    accepted: AtomicU64,
    ran: AtomicU64,
    panicked: AtomicU64,
    cancelled: AtomicU64,
    beyond: AtomicU64,
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// One task of a random kind, by a random way in.
fn submit(pool: &Pool, strand: &Strand, books: &Arc<Books>, random: &mut Random) {
    let ends = {
        let books = Arc::clone(books);
        let panics = random.below(16) == 0;
        move || {
            if panics {
                add(&books.panicked);
                // As a panic, but silent.
                std::panic::resume_unwind(Box::new(()));
            }
            add(&books.ran);
        }
    };
    let yields = random.below(4);
    let future = {
        let ends = ends.clone();
        async move {
            for _ in 0..yields {
                yield_now().await;
            }
            ends();
        }
    };
    let refused = match random.below(9) {
        0 => pool.submit(ends).map_err(SubmitError::without_task),
        1 => pool.try_submit(ends).map_err(SubmitError::without_task),
        2 => pool
            .submit_timeout(ends, Duration::from_micros(random.below(200)))
            .map_err(SubmitError::without_task),
        3 => block_on(pool.submit_async(ends)).map_err(SubmitError::without_task),
        4 => pool.spawn(future).map_err(SubmitError::without_task),
        5 => strand.submit(ends).map_err(SubmitError::without_task),
        6 => strand.spawn(future).map_err(SubmitError::without_task),
        7 => match pool.submit_with_handle(ends) {
            Ok(handle) => {
                if handle.cancel() {
                    assert!(matches!(handle.join(), Err(JoinError::Cancelled)));
                    add(&books.cancelled);
                }
                Ok(())
            }
            Err(refused) => Err(refused.without_task()),
        },
        _ => match pool.spawn_with_handle(future) {
            Ok(handle) => match handle.join() {
                Ok(()) | Err(JoinError::Panicked(_)) => Ok(()),
                Err(error) => panic!("nobody cancelled it: {error}"),
            },
            Err(refused) => Err(refused.without_task()),
        },
    };
    match refused {
        Ok(()) => add(&books.accepted),
        Err(SubmitError::Full(()) | SubmitError::Timeout(())) => {}
        Err(error) => panic!("the pool is open and this is no worker: {error}"),
    }
}

#[test]
fn the_books_balance() {
    let builder = Pool::builder()
        .capacity(MOST)
        .threads(0..=3)
        .idle_expiry(Duration::ZERO);
    let pool = builder.panic_handler(drop).build().unwrap();
    let books = Arc::new(Books::default());
    thread::scope(|scope| {
        let submitters: Vec<_> = (1..=SUBMITTERS)
            .map(|seed| {
                let (pool, books) = (&pool, &books);
                scope.spawn(move || {
                    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                    let strand = pool.strand();
                    for _ in 0..TASKS {
                        submit(pool, &strand, books, &mut random);
                    }
                })
            })
            .collect();
        let mut random = Random(7);
        while !submitters.iter().all(ScopedJoinHandle::is_finished) {
            let capacity = 1 + usize::try_from(random.below(MOST as u64)).unwrap();
            pool.tune(capacity);
            if pool.in_flight() > MOST {
                add(&books.beyond);
            }
            thread::yield_now();
        }
    });
    pool.shutdown().unwrap();

    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let stats = pool.stats();
    assert!(stats.accepted > SUBMITTERS * TASKS / 2, "most are accepted");
    assert_eq!(stats.accepted, count(&books.accepted));
    assert_eq!(stats.completed, count(&books.ran));
    assert_eq!(stats.panicked, count(&books.panicked));
    assert_eq!(stats.cancelled, count(&books.cancelled));
    assert_eq!(
        stats.accepted,
        stats.completed + stats.panicked + stats.cancelled
    );
    assert_eq!(
        (stats.in_flight, stats.waiting, stats.queued, stats.threads),
        (0, 0, 0, 0)
    );
    assert_eq!(
        count(&books.beyond),
        0,
        "more in flight than the capacity ever was"
    );
}
