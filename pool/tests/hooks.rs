//! What threads call when they start and leave.

mod support;

use std::sync::mpsc;
use std::thread;

use anthill::Pool;
use support::Gate;

#[test]
fn each_thread_calls_them_once_around_its_tasks() {
    let (said, heard) = mpsc::channel();
    let tell = |what| {
        let said = said.clone();
        move || said.send((what, thread::current().id())).unwrap()
    };
    let pool = Pool::builder()
        .threads(1..=1)
        .on_thread_start(tell("start"))
        .on_thread_stop(tell("stop"))
        .build()
        .unwrap();
    pool.submit(tell("task")).unwrap();
    pool.shutdown().unwrap();
    let log: Vec<_> = heard.try_iter().collect();
    let words: Vec<_> = log.iter().map(|(what, _)| *what).collect();
    assert_eq!(words, ["start", "task", "stop"]);
    assert!(log.iter().all(|(_, thread)| *thread == log[0].1));
}

#[test]
fn one_that_panics_is_contained_and_counted() {
    let pool = Pool::builder()
        .threads(0..=1)
        .on_thread_start(|| std::panic::resume_unwind(Box::new(())))
        .on_thread_stop(|| std::panic::resume_unwind(Box::new(())))
        .build()
        .unwrap();
    assert_eq!(pool.submit_with_handle(|| 7).unwrap().join().unwrap(), 7);
    pool.shutdown().unwrap();
    assert_eq!(pool.stats().handler_panics, 2);
    assert_eq!(pool.stats().panicked, 0);
}

#[test]
fn while_one_that_leaves_takes_its_time_others_do_the_work() {
    let gate = Gate::new();
    let (said, heard) = mpsc::channel();
    let wait = gate.clone();
    let pool = Pool::builder()
        .threads(0..=2)
        .idle_expiry(std::time::Duration::ZERO)
        .on_thread_stop(move || {
            said.send(()).unwrap();
            wait.wait();
        })
        .build()
        .unwrap();
    pool.submit(|| ()).unwrap();
    heard.recv().unwrap();
    assert_eq!(pool.submit_with_handle(|| 7).unwrap().join().unwrap(), 7);
    gate.open();
    pool.shutdown().unwrap();
}
