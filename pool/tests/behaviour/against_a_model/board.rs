//! Tasks that report when they begin, and end when they are ordered to.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use anthill::{JoinHandle, SlotError};

/// What a submitter gets.
pub(crate) type Answer = Result<(), SlotError>;

/// What a task does next.
pub(crate) enum Order {
    Return,
    Panic,
    Suspend,
    Do(Box<dyn FnOnce() + Send>),
}

/// What a task reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A closure runs, or a future is being polled.
    Begun(usize),
    /// The task was dropped before it ended.
    Gone(usize),
}

/// The orders of the test and the reports of the tasks.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<(Mutex<Notes>, Condvar)>);

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) tasks: Vec<Note>,
    pub(crate) events: Vec<Event>,
    /// Tasks that are neither done nor dropped.
    pub(crate) alive: usize,
    /// Everything returns from now on.
    over: bool,
}

#[derive(Default)]
pub(crate) struct Note {
    pub(crate) answer: Option<Answer>,
    pub(crate) handle: Option<JoinHandle<usize>>,
    order: Option<Order>,
    waker: Option<Waker>,
}

impl Board {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.0.lock().unwrap()
    }

    /// The next task.
    pub(crate) fn add(&self) -> Gated {
        let mut notes = self.notes();
        notes.tasks.push(Note::default());
        notes.alive += 1;
        Gated {
            board: self.clone(),
            id: notes.tasks.len() - 1,
            ended: false,
        }
    }

    /// Records what the submitter got.
    pub(crate) fn answer(&self, id: usize, told: Result<Option<JoinHandle<usize>>, SlotError>) {
        let mut notes = self.notes();
        let (answer, handle) = match told {
            Ok(handle) => (Ok(()), handle),
            Err(refused) => (Err(refused), None),
        };
        notes.tasks[id].handle = handle;
        notes.tasks[id].answer = Some(answer);
    }

    pub(crate) fn order(&self, id: usize, order: Order) {
        self.notes().tasks[id].order = Some(order);
        self.0.1.notify_all();
    }

    pub(crate) fn wake(&self, id: usize) {
        // Outside the lock, because a waker may run any code.
        let waker = self.notes().tasks[id].waker.clone();
        waker.expect("it was polled").wake();
    }

    pub(crate) fn forget(&self, id: usize) {
        let waker = self.notes().tasks[id].waker.take();
        drop(waker.expect("it was polled"));
    }

    /// Lets every task return, now and later.
    pub(crate) fn end(&self) {
        let mut notes = self.notes();
        notes.over = true;
        let left: Vec<_> = notes
            .tasks
            .iter_mut()
            .map(|note| (note.waker.take(), note.handle.take()))
            .collect();
        drop(notes);
        self.0.1.notify_all();
        left.into_iter()
            .filter_map(|(waker, _)| waker)
            .for_each(Waker::wake);
    }

    /// Waits for the next order.
    fn next(&self, id: usize) -> Order {
        let nothing = |notes: &mut Notes| notes.tasks[id].order.is_none() && !notes.over;
        let mut notes = self.0.1.wait_while(self.notes(), nothing).unwrap();
        notes.tasks[id].order.take().unwrap_or(Order::Return)
    }
}

/// A task, as a future and as what is in a closure.
pub(crate) struct Gated {
    board: Board,
    pub(crate) id: usize,
    ended: bool,
}

impl Gated {
    pub(crate) fn closure(mut self) -> impl FnOnce() -> usize + Send + 'static {
        move || {
            self.board.notes().events.push(Event::Begun(self.id));
            assert!(self.follow_orders(), "a closure cannot suspend");
            self.id
        }
    }

    /// Converts the task into a closure without a result.
    pub(crate) fn silent_closure(self) -> impl FnOnce() + Send + 'static {
        let closure = self.closure();
        move || _ = closure()
    }

    /// Runs the task as a future without a result.
    pub(crate) async fn silent(self) {
        self.await;
    }

    /// Carries out orders. Returns `false` if the task is to suspend.
    fn follow_orders(&mut self) -> bool {
        loop {
            match self.board.next(self.id) {
                Order::Do(job) => job(),
                Order::Suspend => return false,
                Order::Return => {
                    self.ended = true;
                    return true;
                }
                Order::Panic => {
                    self.ended = true;
                    resume_unwind(Box::new(self.id));
                }
            }
        }
    }
}

impl Future for Gated {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let new = cx.waker().clone();
        let mut notes = self.board.notes();
        let old = notes.tasks[self.id].waker.replace(new);
        notes.events.push(Event::Begun(self.id));
        drop(notes);
        drop(old);
        if self.follow_orders() {
            Poll::Ready(self.id)
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        let mut notes = self.board.notes();
        notes.alive -= 1;
        if !self.ended {
            notes.events.push(Event::Gone(self.id));
        }
    }
}
