//! I2: every accepted task runs exactly once.

use loom_tests::{Record, check, check_within, pool, run_two_in_a_row};

#[test]
fn two_workers_run_each_task_once() {
    check_within(1, || run_two_in_a_row(&pool(2, 2)));
}

#[test]
fn single_worker_runs_its_whole_batch() {
    check(|| {
        let pool = pool(4, 1);
        let ran = Record::new();
        for _ in 0..4 {
            pool.submit(ran.task()).unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 4);
    });
}

#[test]
fn task_submitted_by_a_task_runs_once() {
    check_within(1, || {
        let pool = pool(2, 2);
        let ran = Record::new();
        let (inner, own) = (ran.task(), pool.clone());
        pool.submit(move || own.try_submit(inner).unwrap()).unwrap();
        while ran.count() == 0 {
            loom::thread::yield_now();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
    });
}

#[test]
fn yielding_future_completes_once() {
    check(|| {
        let pool = pool(1, 1);
        let (polled, ended) = (Record::new(), Record::new());
        let (polls, end) = (polled.clone(), ended.clone());
        pool.spawn(async move {
            let mut yielded = false;
            std::future::poll_fn(|cx| {
                polls.add();
                if std::mem::replace(&mut yielded, true) {
                    return std::task::Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            end.add();
        })
        .unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((polled.count(), ended.count()), (2, 1));
        assert_eq!(pool.stats().completed, 1);
    });
}

#[test]
fn task_after_a_panic_is_run() {
    check(|| {
        let pool = pool(2, 1);
        let ran = Record::new();
        pool.submit(ran.panicking()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
        let stats = pool.stats();
        assert_eq!(
            (stats.completed, stats.panicked, stats.in_flight),
            (1, 1, 0)
        );
    });
}
