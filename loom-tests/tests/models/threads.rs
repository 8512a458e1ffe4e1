//! I6 for surplus workers: after the thread limit falls, exactly the surplus leaves, and strands no task.

use loom::sync::mpsc::channel;
use loom_tests::{busy, check_within, keeping, pool};

#[test]
fn surplus_worker_returns_its_tasks() {
    check_within(1, || {
        let pool = pool(3, 2);
        let (done, ran) = channel();
        let (begun, go) = busy(&pool);
        // The worker takes a batch of two of the three tasks.
        for _ in 0..2 {
            let done = done.clone();
            pool.submit(move || done.send(()).unwrap()).unwrap();
        }
        begun.recv().unwrap();
        pool.set_threads(0..=1).unwrap();
        go.send(()).unwrap();
        ran.recv().unwrap();
        ran.recv().unwrap();
        loom::stop_exploring();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 3);
    });
}

#[test]
fn only_surplus_workers_leave() {
    check_within(1, || {
        let pool = keeping(2..=2).capacity(1).build().unwrap();
        pool.set_threads(1..=1).unwrap();
        // Lets the workers leave. A pool that loses both starts a third to keep the minimum of one.
        loom::thread::yield_now();
        assert_eq!(pool.stats().threads_started, 2);
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn sleeping_surplus_worker_leaves() {
    check_within(1, || {
        let pool = keeping(2..=2).capacity(1).build().unwrap();
        // Lets the workers go to sleep.
        loom::thread::yield_now();
        pool.set_threads(1..=1).unwrap();
        // The surplus worker leaves, whether it sleeps already or is going to.
        while pool.stats().threads > 1 {
            loom::thread::yield_now();
        }
        loom::stop_exploring();
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn raised_limit_starts_a_worker_for_a_queued_task() {
    check_within(1, || {
        let pool = pool(2, 1);
        let (send, wait) = channel();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.submit(move || send.send(()).unwrap()).unwrap();
        pool.set_threads(0..=2).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn task_submitted_during_a_start_hook_is_run() {
    check_within(1, || {
        let (send, wait) = channel();
        let wait = std::sync::Mutex::new(Some(wait));
        // The start hook of the first thread blocks until a second thread has run the task.
        let builder = keeping(0..=2).capacity(1).on_thread_start(move |_| {
            let first = wait.lock().unwrap().take();
            if let Some(wait) = first {
                wait.recv().unwrap();
            }
        });
        let pool = builder.build().unwrap();
        pool.submit(move || send.send(()).unwrap()).unwrap();
        pool.shutdown().wait().unwrap();
    });
}
