//! I14: the worker in the reactor is woken by a submit, and the reactor is not left without a holder while an event is
//! awaited and somebody is free.
#![cfg(anthill_loom)]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Wake, Waker};

use anthill::{Builder, Reactor};
use loom::sync::mpsc::channel;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom_tests::{Record, check, check_within, expiring, keeping};

/// Something that is done once, as a waker.
struct Act(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Act {
    fn wake(self: std::sync::Arc<Self>) {
        let act = self.0.lock().unwrap().take();
        act.expect("it is woken once")();
    }
}

/// A device with two events, and the reactor that hears of them.
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
    happened: [bool; 2],
    /// Those that await each event.
    waiting: [Vec<Waker>; 2],
    /// Those that are to be told that theirs has happened.
    told: VecDeque<Waker>,
}

impl Device {
    fn new() -> Self {
        Self {
            state: Arc::new((Mutex::new(State::default()), Condvar::new())),
            crowded: Record::new(),
        }
    }

    fn happen(&self) {
        self.happen_as(0);
    }

    fn happen_as(&self, event: usize) {
        let mut state = self.state.0.lock().unwrap();
        state.happened[event] = true;
        let waiting = std::mem::take(&mut state.waiting[event]);
        state.told.extend(waiting);
        self.state.1.notify_one();
    }

    /// Does something at that event, on the thread that hears of it.
    fn on_event(&self, event: usize, act: impl FnOnce() + Send + 'static) {
        let act = Act(std::sync::Mutex::new(Some(Box::new(act))));
        let waker = Waker::from(std::sync::Arc::new(act));
        self.state.0.lock().unwrap().waiting[event].push(waker);
    }

    async fn event(self) {
        self.one_of(0).await;
    }

    async fn one_of(self, event: usize) {
        poll_fn(|cx| {
            let mut state = self.state.0.lock().unwrap();
            if state.happened[event] {
                return Poll::Ready(());
            }
            state.waiting[event].push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Begins to wait for events, or to look for them, which only one may do.
    fn enter(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.0.lock().unwrap();
        if std::mem::replace(&mut state.inside, true) {
            self.crowded.add();
        }
        state
    }

    fn reactor(&self, builder: Builder) -> Builder {
        let device = self.clone();
        builder.reactor(move || Ok(device.clone()))
    }
}

impl Reactor for Device {
    fn park(&self) {
        let mut state = self.enter();
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
        let told = std::mem::take(&mut self.enter().told);
        for waker in told {
            waker.wake();
        }
        self.state.0.lock().unwrap().inside = false;
    }
}

#[test]
fn an_event_is_heard_by_the_worker_that_falls_asleep() {
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
fn a_submit_wakes_the_worker_in_the_reactor() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(2)).build().unwrap();
        pool.spawn(device.clone().event()).unwrap();
        let happens = device.clone();
        pool.submit(move || happens.happen()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

/// A closure waits for a future, and the future for an event.
fn a_closure_waits_for_an_event(threads: usize) {
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
    // The worker that runs it may have left the reactor for it.
    pool.submit(move || wait.recv().unwrap()).unwrap();
    device.happen();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
}

#[test]
fn a_closure_that_waits_does_not_stop_events_while_a_worker_is_free() {
    check_within(1, || a_closure_waits_for_an_event(2));
}

#[test]
fn what_an_event_brings_beyond_one_task_is_shown_to_the_others() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=2).capacity(2)).build().unwrap();
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
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (2, 0));
    });
}

#[test]
fn a_worker_that_expires_leaves_one_that_hears_of_events() {
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
fn a_worker_that_an_event_has_woken_is_counted_as_one_that_a_submit_has() {
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
fn a_busy_worker_hears_of_events() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=1).capacity(2)).build().unwrap();
        let heard = Record::new();
        let (event, hears) = (device.clone().event(), heard.task());
        pool.spawn(async move {
            event.await;
            hears();
        })
        .unwrap();
        // Until then it keeps the only worker from falling asleep.
        pool.spawn(poll_fn(move |cx| {
            if heard.count() > 0 {
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
fn a_pool_that_ends_wakes_the_worker_in_the_reactor() {
    check(|| {
        let device = Device::new();
        let pool = device.reactor(keeping(1..=2).capacity(1)).build().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().threads, 0);
    });
}

/// An event brings a closure that waits for another event, which somebody else has to hear of.
fn an_event_brings_a_closure_that_waits_for_the_next(builder: Builder) {
    let device = Device::new();
    let pool = device.reactor(builder.capacity(3)).build().unwrap();
    let (send, wait) = channel();
    let (first, second) = (device.clone().one_of(0), device.clone().one_of(1));
    pool.spawn(async move {
        second.await;
        send.send(()).unwrap();
    })
    .unwrap();
    let slot = pool.try_slot().unwrap().into_owned();
    let happens = device.clone();
    pool.spawn(async move {
        first.await;
        slot.submit(move || {
            happens.happen_as(1);
            wait.recv().unwrap();
        });
    })
    .unwrap();
    device.happen();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, device.crowded.count()), (3, 0));
}

#[test]
fn a_worker_on_its_way_to_sleep_takes_the_reactor_that_is_handed_over() {
    check_within(1, || {
        an_event_brings_a_closure_that_waits_for_the_next(keeping(0..=2));
    });
}

#[test]
fn a_worker_that_leaves_passes_on_the_reactor_that_is_handed_over() {
    check_within(1, || {
        an_event_brings_a_closure_that_waits_for_the_next(expiring(0..=2));
    });
}

#[test]
fn a_worker_on_its_way_to_sleep_sees_that_the_reactor_was_left_for_a_closure() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(0..=2).capacity(3)).build().unwrap();
        let (send, wait) = channel();
        let next = device.clone().one_of(1);
        pool.spawn(async move {
            next.await;
            send.send(()).unwrap();
        })
        .unwrap();
        let slot = pool.try_slot().unwrap().into_owned();
        let happens = device.clone();
        // Nothing but the guard orders memory between the reactor and this closure.
        device.on_event(0, move || {
            slot.submit(move || {
                happens.happen_as(1);
                wait.recv().unwrap();
            });
        });
        // For another worker.
        pool.submit(|| ()).unwrap();
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (3, 0));
    });
}

#[test]
fn an_event_is_heard_while_a_closure_occupies_the_only_worker() {
    check_within(1, || a_closure_waits_for_an_event(1));
}

#[test]
fn an_event_that_a_closure_causes_and_awaits_is_heard() {
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
fn what_the_reactor_itself_submits_is_shown_to_the_others() {
    check_within(1, || {
        let device = Device::new();
        let pool = device.reactor(keeping(2..=2).capacity(1)).build().unwrap();
        let (send, wait) = channel();
        let slot = pool.try_slot().unwrap().into_owned();
        // As a task of the reactor's own, which waits for what it submits.
        device.on_event(0, move || {
            slot.submit(move || send.send(()).unwrap());
            wait.recv().unwrap();
        });
        device.happen();
        pool.shutdown().wait().unwrap();
        assert_eq!((pool.stats().completed, device.crowded.count()), (1, 0));
    });
}
