//! The reactor of these models.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Wake, Waker};

use anthill::{Builder, Reactor};
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom_tests::Record;

/// A waker that calls a closure once.
struct Act(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Act {
    fn wake(self: std::sync::Arc<Self>) {
        let act = self.0.lock().unwrap().take();
        act.expect("the waker is woken once")();
    }
}

#[derive(Clone)]
pub(super) struct Device {
    state: Arc<(Mutex<State>, Condvar)>,
    /// How often a second thread entered the reactor.
    pub(super) crowded: Record,
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
    pub(super) fn new() -> Self {
        Self {
            state: Arc::new((Mutex::new(State::default()), Condvar::new())),
            crowded: Record::new(),
        }
    }

    pub(super) fn happen(&self) {
        self.happen_as(0);
    }

    pub(super) fn happen_as(&self, event: usize) {
        let mut state = self.state.0.lock().unwrap();
        state.happened[event] = true;
        let waiting = std::mem::take(&mut state.waiting[event]);
        state.ready.extend(waiting);
        self.state.1.notify_one();
    }

    /// Calls `act` at that event, on the thread in the reactor.
    pub(super) fn on_event(&self, event: usize, act: impl FnOnce() + Send + 'static) {
        let act = Act(std::sync::Mutex::new(Some(Box::new(act))));
        let waker = Waker::from(std::sync::Arc::new(act));
        self.state.0.lock().unwrap().waiting[event].push(waker);
    }

    pub(super) async fn event(self) {
        self.one_of(0).await;
    }

    pub(super) async fn one_of(self, event: usize) {
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

    pub(super) fn reactor(&self, builder: Builder) -> Builder {
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
        // Lets another worker become occupied meanwhile.
        loom::thread::yield_now();
        self.state.0.lock().unwrap().inside = false;
    }
}
