//! I14: a submit wakes the worker in the reactor, and a free worker holds the reactor while an event is awaited.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Wake, Waker};

use anthill::{Builder, Reactor};
use loom::sync::mpsc::channel;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom_tests::{Record, check, check_within, expiring, keeping};

/// A waker that calls a closure once.
struct Act(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Act {
    fn wake(self: std::sync::Arc<Self>) {
        let act = self.0.lock().unwrap().take();
        act.expect("the waker is woken once")();
    }
}

/// A device with two events, and the reactor that waits for them.
#[derive(Clone)]
struct Device {
    state: Arc<(Mutex<State>, Condvar)>,
    /// How often a second thread entered the reactor.
    crowded: Record,
}

#[derive(Default)]
struct State {
    rung: bool,
    inside: bool,
    happened: [bool; 2],
    /// The wakers of each event.
    waiting: [Vec<Waker>; 2],
    /// The wakers of events that have happened.
    ready: VecDeque<Waker>,
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
        state.ready.extend(waiting);
        self.state.1.notify_one();
    }

    /// Calls `act` at that event, on the thread in the reactor.
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

    /// Enters the reactor, which only one thread may do at a time.
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
            if let Some(waker) = state.ready.pop_front() {
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
        let ready = std::mem::take(&mut self.enter().ready);
        for waker in ready {
            waker.wake();
        }
        self.state.0.lock().unwrap().inside = false;
    }
}

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
        pool.spawn(device.clone().event()).unwrap();
        let happens = device.clone();
        pool.submit(move || happens.happen()).unwrap();
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
