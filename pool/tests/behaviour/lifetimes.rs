//! Short-lived pools on real threads: a task that is accepted during a shutdown runs before its end.
//! `LIFETIMES` sets the number of pools; a million take some minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anthill::{Pool, SlotError};

/// Pairs of threads that build and shut down pools at the same time.
const PAIRS: usize = 2;

/// Submits a few tasks of several kinds. Returns how many were accepted.
fn submit(pool: &Pool, ran: &Arc<AtomicUsize>) -> usize {
    let task = || {
        let ran = Arc::clone(ran);
        move || {
            ran.fetch_add(1, Ordering::Relaxed);
        }
    };
    let end = task();
    let results = [
        pool.submit(task()),
        pool.try_submit(task()).map_err(SlotError::from),
        pool.spawn(async move { end() }),
    ];
    let refused =
        |result: &Result<(), SlotError>| matches!(result, Err(SlotError::Full | SlotError::Closed));
    assert!(
        results
            .iter()
            .all(|result| result.is_ok() || refused(result))
    );
    results.iter().filter(|result| result.is_ok()).count()
}

/// Runs one pool: two threads submit, and one of them shuts it down. Returns how many tasks ran.
fn live(
    life: usize,
    rival: &mpsc::Sender<(Pool, Arc<AtomicUsize>)>,
    told: &mpsc::Receiver<usize>,
) -> usize {
    let pool = Pool::builder()
        .capacity(2)
        .threads(life % 2..=2)
        .idle_expiry(Duration::ZERO)
        .build()
        .unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    rival.send((pool.clone(), Arc::clone(&ran))).unwrap();
    let mine = submit(&pool, &ran);
    pool.shutdown().wait().unwrap();
    let counted = ran.load(Ordering::Relaxed);
    assert_eq!(pool.stats().threads, 0);
    // Nothing runs after the end, so what the rival was granted had been counted.
    let accepted = mine + told.recv().unwrap();
    assert_eq!(counted, accepted);
    counted
}

#[test]
fn accepted_tasks_run_before_a_short_life_ends() {
    let lifetimes: usize = std::env::var("LIFETIMES").map_or(5_000, |count| count.parse().unwrap());
    let tasks: usize = thread::scope(|scope| {
        let pairs: Vec<_> = (0..PAIRS)
            .map(|_| {
                let (rival, pools) = mpsc::channel::<(Pool, Arc<AtomicUsize>)>();
                let (tell, told) = mpsc::channel();
                scope.spawn(move || {
                    for (pool, ran) in pools {
                        tell.send(submit(&pool, &ran)).unwrap();
                    }
                });
                let lives = move || {
                    (0..lifetimes / PAIRS)
                        .map(|life| live(life, &rival, &told))
                        .sum::<usize>()
                };
                scope.spawn(lives)
            })
            .collect();
        pairs.into_iter().map(|pair| pair.join().unwrap()).sum()
    });
    assert!(
        tasks >= lifetimes,
        "{tasks} tasks in {lifetimes} lives: each got its first"
    );
    println!("{lifetimes} lives, {tasks} tasks");
}
