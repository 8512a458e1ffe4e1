//! Hooks that threads call when they start and exit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use anthill::Pool;

use crate::support::{Gate, eventually, occupy};

#[test]
fn each_thread_calls_its_hooks_once() {
    let (said, heard) = mpsc::channel();
    let tell = |what| {
        let said = said.clone();
        move |index| said.send((what, index, thread::current().id())).unwrap()
    };
    let pool = Pool::builder()
        .threads(1..=1)
        .on_thread_start(tell("start"))
        .on_thread_stop(tell("stop"))
        .build()
        .unwrap();
    let task = tell("task");
    pool.submit(move || task(0)).unwrap();
    pool.shutdown().wait().unwrap();
    let log: Vec<_> = heard.try_iter().collect();
    let words: Vec<_> = log.iter().map(|(what, index, _)| (*what, *index)).collect();
    assert_eq!(words, [("start", 0), ("task", 0), ("stop", 0)]);
    assert!(log.iter().all(|(.., thread)| *thread == log[0].2));
}

#[test]
fn panic_of_a_hook_is_contained_and_counted() {
    let pool = Pool::builder()
        .threads(0..=1)
        .on_thread_start(|_| std::panic::resume_unwind(Box::new(())))
        .on_thread_stop(|_| std::panic::resume_unwind(Box::new(())))
        .build()
        .unwrap();
    assert_eq!(pool.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().handler_panics, 2);
    assert_eq!(pool.stats().panicked, 0);
}

#[test]
fn slow_stop_hook_does_not_delay_tasks() {
    let gate = Gate::new();
    let (said, heard) = mpsc::channel();
    let wait = gate.clone();
    let pool = Pool::builder()
        .threads(0..=2)
        .idle_expiry(std::time::Duration::ZERO)
        .on_thread_stop(move |_| {
            said.send(()).unwrap();
            wait.wait();
        })
        .build()
        .unwrap();
    pool.submit(|| ()).unwrap();
    heard.recv().unwrap();
    assert_eq!(pool.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn slow_start_hooks_run_in_parallel() {
    let together = Arc::new(Barrier::new(10));
    let in_hooks = Arc::clone(&together);
    let pool = Pool::builder()
        .threads(0..=10)
        .on_thread_start(move |_| _ = in_hooks.wait())
        .build()
        .unwrap();
    for _ in 0..10 {
        let together = Arc::clone(&together);
        pool.submit(move || _ = together.wait()).unwrap();
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 10);
}

#[test]
fn idle_thread_is_woken_while_another_starts() {
    let (gate, begins) = (Gate::new(), Gate::new());
    let (said, heard) = mpsc::channel();
    let wait = begins.clone();
    let is_first = AtomicBool::new(true);
    // The second thread stays in its hook. It may start before the second submit, because the pool
    // starts another thread for a task while the first is in its hook.
    let pool = Pool::builder()
        .threads(0..=2)
        .on_thread_start(move |_| {
            let passes = is_first.swap(false, Ordering::Relaxed);
            said.send(()).unwrap();
            if !passes {
                wait.wait();
            }
        })
        .build()
        .unwrap();
    occupy(&pool, &gate);
    pool.submit(|| ()).unwrap();
    heard.recv().unwrap();
    heard.recv().unwrap();
    // The second thread is in its hook. The first, once idle, does the work of both.
    gate.open();
    eventually(|| pool.stats().completed == 2 && pool.stats().idle_threads == 1);
    pool.submit_with_handle(|| ()).unwrap().wait().unwrap();
    let task = async { 7 };
    assert_eq!(pool.spawn_with_handle(task).unwrap().wait().unwrap(), 7);
    begins.open();
    pool.shutdown().wait().unwrap();
}
