//! I14: the worker in the reactor is woken by a submit, and the reactor is not left without a holder while an event is
//! awaited and somebody is free.
#![cfg(anthill_loom)]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use anthill::{Builder, Reactor};
use loom::sync::mpsc::channel;
use loom::sync::{Arc, Condvar, Mutex};
use loom_tests::{Record, check, check_within, expiring, keeping};

/// A device with one event, and the reactor that hears of it.
#[derive(Clone)]
struct Device {
    state: Arc<(Mutex<State>, Condvar)>,
    /// How often a second thread was in the reactor.
    crowded: Record,
}

#[derive(Default)]
struct State {
    rung: bool,
    inside: bool,
    happened: bool,
    /// Those that await the event.
    waiting: Vec<Waker>,
    /// Those that are to be told that it has happened.
    told: VecDeque<Waker>,
}

impl Device {
    fn new() -> Self {
        Self {
            state: Arc::new((Mutex::new(State::default()), Condvar::new())),
            crowded: Record::new(),
        }
    }

    /// The event.
    fn happen(&self) {
        let mut state = self.state.0.lock().unwrap();
        state.happened = true;
        state.told = std::mem::take(&mut state.waiting).into();
        self.state.1.notify_one();
    }

    async fn event(self) {
        poll_fn(|cx| {
            let mut state = self.state.0.lock().unwrap();
            if state.happened {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn reactor(&self, builder: Builder) -> Builder {
        let device = self.clone();
        builder.reactor(move || Ok(device.clone()))
    }
}

impl Reactor for Device {
    fn park(&self) {
        let mut state = self.state.0.lock().unwrap();
        if std::mem::replace(&mut state.inside, true) {
            self.crowded.add();
        }
        loop {
            if let Some(waker) = state.told.pop_front() {
                drop(state);
                waker.wake();
                state = self.state.0.lock().unwrap();
            } else if std::mem::take(&mut state.rung) {
                break;
            } else {
                state = self.state.1.wait(state).unwrap();
            }
        }
        state.inside = false;
    }

    fn unpark(&self) {
        self.state.0.lock().unwrap().rung = true;
        self.state.1.notify_one();
    }

    fn poll(&self) {
        let told = std::mem::take(&mut self.state.0.lock().unwrap().told);
        for waker in told {
            waker.wake();
        }
    }
}

#[test]
fn an_event_is_heard_by_the_worker_that_falls_asleep() {
    check(|| {
        let device = Device::new();
        let pool = device.reactor(keeping(1).capacity(1)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        device.happen();
        pool.shutdown().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (1, 0));
    });
}

#[test]
fn a_submit_wakes_the_worker_in_the_reactor() {
    check(|| {
        let device = Device::new();
        let pool = device.reactor(keeping(1).capacity(2)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        let happens = device.clone();
        pool.submit(move || happens.happen()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn a_closure_that_waits_does_not_stop_events_while_a_worker_is_free() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(2).capacity(2)).build().unwrap();
        let (send, wait) = channel();
        let event = device.clone().event();
        pool.spawn(async move {
            event.await;
            send.send(()).unwrap();
        })
        .unwrap();
        // Whoever runs it may have left the reactor for it.
        pool.submit(move || wait.recv().unwrap()).unwrap();
        device.happen();
        pool.shutdown().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn what_an_event_brings_beyond_one_task_is_shown_to_the_others() {
    check_within(2, || {
        let device = Device::new();
        let pool = device.reactor(keeping(2).capacity(2)).build().unwrap();
        let (send, wait) = channel();
        let (first, second) = (device.clone().event(), device.clone().event());
        // The worker that runs this one does nothing else until the other one has run.
        pool.spawn(async move {
            first.await;
            wait.recv().unwrap();
        })
        .unwrap();
        pool.spawn(async move {
            second.await;
            send.send(()).unwrap();
        })
        .unwrap();
        device.happen();
        pool.shutdown().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn a_worker_that_expires_leaves_one_that_hears_of_events() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(expiring(2).capacity(2)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        pool.submit(|| ()).unwrap();
        device.happen();
        pool.shutdown().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn a_worker_that_an_event_has_woken_is_counted_as_one_that_a_submit_has() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(1).capacity(1)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        device.happen();
        while pool.in_flight() > 0 || pool.stats().idle_threads != 1 {
            loom::thread::yield_now();
        }
        pool.submit(|| ()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn a_pool_that_ends_wakes_the_worker_in_the_reactor() {
    check(|| {
        let device = Device::new();
        let pool = device
            .reactor(keeping(2).threads(1..=2).capacity(1))
            .build()
            .unwrap();
        pool.shutdown().unwrap();
        assert_eq!(pool.stats().threads, 0);
    });
}
