//! The system starts only some of the threads that a pool asks for.
//!
//! The limit is the address space of the process: the stacks are so large that only a few fit.

use std::sync::mpsc;

use anthill::{BuildError, Builder, Pool};
use rlimit::Resource;

use crate::child::in_own_process;
use crate::support::eventually;

const GIB: u64 = 1 << 30;
const STACK: u64 = 2 * GIB;
const THREADS: u64 = 6;

/// Returns the number of threads and the bytes of address space of the process.
fn footprint() -> (usize, u64) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    (threads, pages * 4096)
}

/// Runs `f` with room for the stacks of `count` threads, and waits until these threads are gone.
fn with_room_for(count: u64, f: impl FnOnce()) {
    let (threads, bytes) = footprint();
    // The allocator reserves some address space for each thread.
    let limit = bytes + count * STACK + GIB;
    let (_, most) = Resource::AS.get().unwrap();
    Resource::AS.set(limit, most).unwrap();
    f();
    Resource::AS.set(most, most).unwrap();
    eventually(|| {
        // The C library gives the stacks of ended threads back when the next one is joined.
        std::thread::spawn(|| ()).join().unwrap();
        footprint().0 <= threads && footprint().1 < bytes + GIB
    });
}

fn builder() -> Builder {
    Pool::builder().stack_size(usize::try_from(STACK).unwrap())
}

fn begins_with_all_or_not_at_all(started: u64) {
    let threads = usize::try_from(THREADS).unwrap();
    with_room_for(started, || {
        let built = builder().threads(threads..=threads).build();
        assert!(
            matches!(built, Err(BuildError::Thread(_))),
            "{started} of {threads} were enough"
        );
    });
}

fn does_the_work_with_those_that_it_gets(started: u64) {
    let tasks = 4 * usize::try_from(THREADS).unwrap();
    with_room_for(started, || {
        let pool = builder()
            .threads(0..=usize::try_from(THREADS).unwrap())
            .capacity(tasks);
        let pool = pool.build().unwrap();
        let (send, results) = mpsc::channel();
        for task in 0..tasks {
            let send = send.clone();
            pool.submit(move || send.send(task).unwrap()).unwrap();
        }
        drop(send);
        let mut results: Vec<_> = results.iter().collect();
        results.sort_unstable();
        assert!(results.into_iter().eq(0..tasks));
        assert!(pool.stats().threads_started <= started);
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn pool_works_with_the_threads_that_the_system_starts() {
    in_own_process(
        "kth_thread::pool_works_with_the_threads_that_the_system_starts",
        || {
            for started in 0..THREADS {
                begins_with_all_or_not_at_all(started);
                does_the_work_with_those_that_it_gets(started);
            }
            with_room_for(THREADS, || {
                let all = usize::try_from(THREADS).unwrap();
                let pool = builder().threads(all..=all).build().unwrap();
                assert_eq!(pool.stats().threads, all);
                pool.shutdown().wait().unwrap();
            });
        },
    );
}
