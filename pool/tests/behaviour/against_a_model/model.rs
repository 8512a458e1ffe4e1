//! A sequential model of a pool: slots, the line, tasks and counters. `schedule` models the queues.

use std::collections::VecDeque;

use anthill::{ReopenError, SlotError};

use super::op::{Act, Kind, Settings, Terms, Way};
use super::schedule::Queue;
use super::task::{Books, End, Stage, Task};

/// What an operation returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Cancelled(bool),
    /// The result, if the task had one.
    LetGo(Option<End>),
    /// Whether the thread limits were accepted.
    Tuned(bool),
    Reopened(Result<(), ReopenError>),
    /// Whether every task has ended.
    Shut(bool),
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) capacity: usize,
    pub(crate) in_flight: usize,
    pub(crate) line: VecDeque<usize>,
    max_waiting: usize,
    nonblocking: bool,
    pub(crate) closed: bool,
    pub(crate) discarding: bool,
    pub(crate) min_threads: usize,
    pub(crate) max_threads: usize,
    /// The most workers that are busy, beside the one for futures: more than `max_threads` after that was lowered.
    pub(crate) most_busy: usize,
    pub(crate) tasks: Vec<Task>,
    pub(crate) queue: Queue,
    pub(crate) books: Books,
}

impl Model {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            capacity: settings.capacity,
            in_flight: 0,
            line: VecDeque::new(),
            max_waiting: settings.max_waiting,
            nonblocking: settings.nonblocking,
            closed: false,
            discarding: false,
            min_threads: settings.min_threads,
            max_threads: settings.max_threads,
            most_busy: settings.max_threads,
            tasks: Vec::new(),
            queue: Queue::default(),
            books: Books::default(),
        }
    }

    /// Submits the next task, from a worker or from elsewhere.
    pub(crate) fn submit(&mut self, way: Way, kind: Kind, terms: Terms, on_worker: bool) {
        let id = self.tasks.len();
        self.tasks.push(Task {
            way,
            kind,
            terms,
            stage: Stage::InLine,
            answer: None,
            handle: false,
            waker: false,
            woken: false,
            dead: false,
            gone: false,
        });
        let waits = match way {
            Way::Try => false,
            Way::Plain => !self.nonblocking,
            Way::Timeout | Way::Async => true,
        };
        if self.closed {
            self.refuse(id, SlotError::Closed);
        } else if self.asks_too_much(id) {
            self.refuse(id, SlotError::TooMany);
        } else if self.has_free(id) && self.line.is_empty() {
            self.in_flight += terms.slots;
            self.accept(id, on_worker);
        } else if !waits {
            self.refuse(id, SlotError::Full);
        } else if on_worker {
            self.refuse(id, SlotError::WouldDeadlock);
        } else if self.line.len() >= self.max_waiting {
            self.refuse(id, SlotError::Full);
        } else if way == Way::Timeout {
            self.refuse(id, SlotError::Timeout);
        } else {
            self.line.push_back(id);
        }
    }

    /// Whether the request exceeds the capacity. One slot never does: capacity 0 pauses the pool.
    fn asks_too_much(&self, id: usize) -> bool {
        let slots = self.tasks[id].terms.slots;
        slots > 1 && slots > self.capacity
    }

    fn has_free(&self, id: usize) -> bool {
        self.capacity.saturating_sub(self.in_flight) >= self.tasks[id].terms.slots
    }

    fn refuse(&mut self, id: usize, refused: SlotError) {
        self.tasks[id].stage = Stage::NeverIn;
        self.tasks[id].answer = Some(Err(refused));
        let books = &mut self.books;
        match refused {
            SlotError::Full | SlotError::TooMany => books.full += 1,
            SlotError::Closed => books.closed += 1,
            SlotError::Timeout => books.timeout += 1,
            SlotError::WouldDeadlock => books.would_deadlock += 1,
            other => panic!("no refusal of the model's: {other}"),
        }
    }

    /// Gives the task a slot.
    fn accept(&mut self, id: usize, on_worker: bool) {
        self.books.accepted += 1;
        self.tasks[id].answer = Some(Ok(()));
        self.tasks[id].handle = self.tasks[id].kind.has_handle();
        self.enqueue(id, on_worker);
    }

    fn enqueue(&mut self, id: usize, on_worker: bool) {
        self.tasks[id].stage = Stage::Queued;
        self.queue.push(id, self.tasks[id].kind, on_worker);
    }

    /// Drops a task that has a slot.
    pub(crate) fn undo(&mut self, id: usize) {
        if self.discarding {
            self.books.discarded += 1;
        } else {
            self.books.cancelled += 1;
        }
        self.drop_task(id, End::Undone);
    }

    /// Drops a task that a worker reaches too late.
    pub(crate) fn expire(&mut self, id: usize) {
        self.books.expired += 1;
        self.drop_task(id, End::Expired);
    }

    fn drop_task(&mut self, id: usize, end: End) {
        self.tasks[id].stage = Stage::Ended(end);
        self.release(id);
    }

    fn end(&mut self, id: usize, end: End) {
        let task = &mut self.tasks[id];
        task.stage = Stage::Ended(end);
        if end == End::Returned {
            self.books.completed += 1;
        } else {
            self.books.panicked += 1;
            self.books.reported += u64::from(!task.handle);
        }
        self.queue.ended(task.kind);
        self.release(id);
    }

    fn release(&mut self, id: usize) {
        self.in_flight -= self.tasks[id].terms.slots;
        self.serve();
    }

    /// Grants free slots to waiting submitters.
    fn serve(&mut self) {
        while let Some(&id) = self.line.front()
            && self.has_free(id)
        {
            self.line.pop_front();
            self.in_flight += self.tasks[id].terms.slots;
            if self.tasks[id].way == Way::Async {
                self.tasks[id].stage = Stage::Told(Ok(()));
            } else {
                self.accept(id, false);
            }
        }
    }

    /// Returns the tasks that `act` can be applied to.
    pub(crate) fn subjects(&self, act: Act) -> Vec<usize> {
        let can = |task: &Task| match act {
            Act::Poll | Act::GiveUp => {
                task.way == Way::Async && matches!(task.stage, Stage::InLine | Stage::Told(_))
            }
            Act::Return | Act::Panic => task.stage == Stage::Running,
            Act::Suspend => task.stage == Stage::Running && task.kind.is_future(),
            Act::Wake | Act::Forget => task.waker,
            Act::Cancel | Act::LetGo => task.handle,
        };
        let ids = 0..self.tasks.len();
        ids.filter(|&id| can(&self.tasks[id])).collect()
    }

    pub(crate) fn act(&mut self, act: Act, id: usize) -> Reply {
        let task = &mut self.tasks[id];
        match act {
            Act::Poll => match task.stage {
                Stage::Told(Ok(())) => self.accept(id, false),
                Stage::Told(Err(refused)) => self.refuse(id, refused),
                _ => {}
            },
            Act::GiveUp => {
                let stage = std::mem::replace(&mut task.stage, Stage::NeverIn);
                self.line.retain(|&waits| waits != id);
                if stage == Stage::Told(Ok(())) {
                    self.release(id);
                } else {
                    self.serve();
                }
            }
            Act::Return => self.end(id, End::Returned),
            Act::Panic => self.end(id, End::Panicked),
            Act::Suspend => {
                task.stage = Stage::Suspended;
                if std::mem::take(&mut task.woken) {
                    self.enqueue(id, true);
                } else {
                    self.drop_if_lost(id, true);
                }
            }
            Act::Wake => match task.stage {
                Stage::Suspended => self.enqueue(id, false),
                Stage::Running => task.woken = true,
                _ => {}
            },
            Act::Forget => {
                task.waker = false;
                self.drop_if_lost(id, false);
            }
            Act::Cancel => return Reply::Cancelled(self.cancel(id)),
            Act::LetGo => {
                task.handle = false;
                let end = match task.stage {
                    _ if task.dead => Some(End::Undone),
                    Stage::Ended(end) => Some(end),
                    _ => None,
                };
                self.drop_if_lost(id, false);
                return Reply::LetGo(end);
            }
        }
        Reply::Done
    }

    /// Enqueues a suspended future that can no longer be woken, so that a worker drops it.
    fn drop_if_lost(&mut self, id: usize, on_worker: bool) {
        let task = &mut self.tasks[id];
        if task.stage == Stage::Suspended && !task.waker && !task.handle {
            task.dead = true;
            self.enqueue(id, on_worker);
        }
    }

    fn cancel(&mut self, id: usize) -> bool {
        let task = &mut self.tasks[id];
        let rests = matches!(task.stage, Stage::Queued | Stage::Suspended) && !task.dead;
        if !rests {
            return false;
        }
        if !task.kind.is_future() {
            // Its slot is released at once. The husk stays in the queue until a worker removes it.
            self.books.cancelled += 1;
            self.drop_task(id, End::Undone);
            return true;
        }
        task.dead = true;
        if task.stage == Stage::Suspended {
            self.enqueue(id, false);
        }
        true
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) -> Reply {
        // From 2^31 - 1 on it is unlimited.
        self.capacity = if capacity < (1 << 31) - 1 {
            capacity
        } else {
            usize::MAX
        };
        let (too_many, line) = std::mem::take(&mut self.line)
            .into_iter()
            .partition::<VecDeque<_>, _>(|&id| self.asks_too_much(id));
        self.line = line;
        self.turn_away(too_many, SlotError::TooMany);
        self.serve();
        Reply::Done
    }

    pub(crate) fn set_threads(&mut self, min: usize, max: usize) -> Reply {
        let possible = max > 0 && min <= max;
        if possible {
            (self.min_threads, self.max_threads) = (min, max);
            self.most_busy = max.max(self.busy());
            self.queue.mix();
        }
        Reply::Tuned(possible)
    }

    pub(crate) fn close(&mut self) -> Reply {
        self.closed = true;
        let line = std::mem::take(&mut self.line);
        self.turn_away(line, SlotError::Closed);
        Reply::Done
    }

    fn turn_away(&mut self, waiting: VecDeque<usize>, refused: SlotError) {
        for id in waiting {
            if self.tasks[id].way == Way::Async {
                self.tasks[id].stage = Stage::Told(Err(refused));
            } else {
                self.refuse(id, refused);
            }
        }
    }

    pub(crate) fn discard(&mut self) -> Reply {
        self.close();
        self.discarding = true;
        for id in self.queue.drain() {
            if !self.is_husk(id) {
                self.undo(id);
            }
        }
        Reply::Done
    }

    pub(crate) fn reopen(&mut self) -> Reply {
        if self.closed {
            if self.discarding && self.in_flight > 0 {
                return Reply::Reopened(Err(ReopenError::Discarding));
            }
            (self.closed, self.discarding) = (false, false);
        }
        Reply::Reopened(Ok(()))
    }

    pub(crate) fn shutdown(&mut self) -> Reply {
        self.close();
        Reply::Shut(self.in_flight == 0)
    }
}
