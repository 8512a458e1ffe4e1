//! I14: a submit wakes the worker in the reactor, and a free worker holds the reactor while an event is awaited.

mod device;

use std::future::poll_fn;
use std::task::Poll;

use loom::sync::mpsc::channel;
use loom_tests::{Record, check, check_within, expiring, keeping};

use device::Device;

#[test]
fn worker_going_to_sleep_sees_an_event() {
    check(|| {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(1)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (1, 0));
    });
}

#[test]
fn submit_wakes_the_worker_in_the_reactor() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(2)).build().unwrap();
        let event = pool.spawn_with_handle(device.clone().event()).unwrap();
        let happens = device.clone();
        pool.submit(move || happens.happen()).unwrap();
        event.wait().unwrap();
        loom::stop_exploring();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

/// A closure waits for a future, and the future for an event.
fn closure_blocks_until_an_event(threads: usize) {
    let device = Device::new();
    let pool = device.reactor(keeping(0..=threads).capacity(2));
    let pool = pool.build().unwrap();
    let (send, wait) = channel();
    let event = device.clone().event();
    pool.spawn(async move {
        event.await;
        send.send(()).unwrap();
    })
    .unwrap();
    // The worker that runs it may have been in the reactor before.
    pool.submit(move || wait.recv().unwrap()).unwrap();
    device.happen();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
}

#[test]
fn blocked_closure_does_not_stop_events() {
    check_within(1, || closure_blocks_until_an_event(2));
}

#[test]
fn second_task_of_an_event_is_offered_to_other_workers() {
    check_within(1, || {
        // What precedes the event is in other models.
        loom::stop_exploring();
        let device = Device::new();
        let pool = device.reactor(keeping(0..=2).capacity(2)).build().unwrap();
        let (send, wait) = channel();
        let (polls, is_polled) = channel();
        let (first, second) = (device.clone().event(), device.clone().event());
        // The worker that runs this future blocks until the other future has run.
        pool.spawn(async move {
            polls.send(()).unwrap();
            first.await;
            wait.recv().unwrap();
        })
        .unwrap();
        pool.spawn(async move {
            second.await;
            send.send(()).unwrap();
        })
        .unwrap();
        // The other worker starts for the second future. Both sleep before the event.
        is_polled.recv().unwrap();
        loom::explore();
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn expiring_worker_leaves_the_reactor_attended() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(expiring(0..=2).capacity(2)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        pool.submit(|| ()).unwrap();
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn worker_woken_by_an_event_is_counted_once() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(1)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        device.happen();
        while pool.in_flight() > 0 || pool.stats().idle_threads != 1 {
            loom::thread::yield_now();
        }
        pool.submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn busy_worker_polls_the_reactor() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(2)).build().unwrap();
        let seen = Record::new();
        let (event, sees) = (device.clone().event(), seen.task());
        pool.spawn(async move {
            event.await;
            sees();
        })
        .unwrap();
        // Keeps the only worker from going to sleep until the event is seen.
        pool.spawn(poll_fn(move |cx| {
            if seen.count() > 0 {
                return Poll::Ready(());
            }
            loom::thread::yield_now();
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
        .unwrap();
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn shutdown_wakes_the_worker_in_the_reactor() {
    check(|| {
        let device = Device::new();
        let pool = device.reactor(keeping(1..=2).capacity(1)).build().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().threads, 0);
    });
}

#[test]
fn expired_worker_passes_on_the_reactor() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(expiring(0..=2).capacity(2)).build().unwrap();
        let slot = pool.try_slot().unwrap().into_owned();
        let (send, wait) = channel();
        let happens = device.clone();
        // This closure blocks until another worker sees the second event.
        device.on_event(0, move || {
            slot.submit(move || {
                happens.happen_as(1);
                wait.recv().unwrap();
            });
        });
        device.on_event(1, move || send.send(()).unwrap());
        let (ran, has_run) = channel();
        // Starts the other worker, to wait for events meanwhile. One of the two expires.
        pool.submit(move || ran.send(()).unwrap()).unwrap();
        has_run.recv().unwrap();
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn worker_going_to_sleep_sees_the_reactor_is_free() {
    check_within(1, || {
        // What precedes the second worker and follows the closure is in other models.
        loom::stop_exploring();
        let device = Device::new();
        let pool = device.reactor(keeping(0..=2).capacity(3)).build().unwrap();
        let (send, wait) = channel();
        let (ends, has_ended) = channel();
        let next = device.clone().one_of(1);
        pool.spawn(async move {
            next.await;
            send.send(()).unwrap();
        })
        .unwrap();
        let slot = pool.try_slot().unwrap().into_owned();
        let happens = device.clone();
        // Only the guard orders memory between the reactor and this closure.
        device.on_event(0, move || {
            slot.submit(move || {
                happens.happen_as(1);
                wait.recv().unwrap();
                ends.send(()).unwrap();
            });
        });
        loom::explore();
        // Starts the other worker.
        pool.submit(|| ()).unwrap();
        device.happen();
        has_ended.recv().unwrap();
        loom::stop_exploring();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (3, 0));
    });
}

#[test]
fn event_is_seen_while_a_closure_blocks_the_only_worker() {
    check_within(1, || closure_blocks_until_an_event(1));
}

#[test]
fn closure_sees_the_event_that_it_causes() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(2)).build().unwrap();
        let (send, wait) = channel();
        let (event, happens) = (device.clone().event(), device.clone());
        pool.spawn(async move {
            event.await;
            send.send(()).unwrap();
        })
        .unwrap();
        pool.submit(move || {
            happens.happen();
            wait.recv().unwrap();
        })
        .unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn task_submitted_inside_the_reactor_is_offered_to_others() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(2..=2).capacity(1)).build().unwrap();
        let (send, wait) = channel();
        let slot = pool.try_slot().unwrap().into_owned();
        // Runs inside the reactor and waits for the closure that it submits.
        device.on_event(0, move || {
            slot.submit(move || send.send(()).unwrap());
            wait.recv().unwrap();
        });
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (1, 0));
    });
}

#[test]
fn worker_that_polled_the_reactor_leaves_it_attended() {
    check_within(0, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=2).capacity(6)).build().unwrap();
        // After four tasks a worker polls the reactor. Meanwhile the other one may become occupied.
        for _ in 0..4 {
            pool.submit(|| ()).unwrap();
        }
        for event in 0..2 {
            let (send, wait) = channel();
            device.on_event(event, move || send.send(()).unwrap());
            let happens = device.clone();
            pool.submit(move || {
                happens.happen_as(event);
                wait.recv().unwrap();
            })
            .unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (6, 0));
    });
}
