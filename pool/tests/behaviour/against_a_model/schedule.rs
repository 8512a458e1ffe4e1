//! The queues of the model, and what workers may take from them.
//!
//! The pool does not specify which of several queued tasks a worker takes when more than one worker
//! may run, nor in which order submitters enqueue that were admitted together. The model learns both
//! from the reports of the tasks.

use anthill::Stats;

use super::board::Event;
use super::model::Model;
use super::op::{Kind, STRANDS};
use super::task::{Stage, Task};

/// An item of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Task(usize),
    /// The next tasks of a strand.
    Strand(usize),
}

/// The place of a strand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Nowhere,
    Queue,
    /// A worker runs a task of it.
    Worker,
    /// A worker is about to run the next task of it, or to enqueue it again because its time slice is over.
    Next,
}

#[derive(Clone, Debug, Default)]
struct Line {
    /// Tasks with their turns, as in the queue.
    inbox: Vec<(usize, usize)>,
    place: Place,
    /// The turn in which a worker left it empty. The worker may still find a task of the same turn.
    left: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Items with their turns. Items of the same turn may be taken in any order.
    items: Vec<(usize, Item)>,
    turn: usize,
    /// Whether all items may be taken in any order, because the pool may hold them in several queues.
    mixed: bool,
    strands: [Line; STRANDS],
}

impl Queue {
    /// Later items come after the items of earlier turns.
    pub(crate) fn next_turn(&mut self) {
        self.turn += 1;
    }

    /// The present items may be taken in any order.
    pub(crate) fn mix(&mut self) {
        self.mixed = true;
    }

    /// Orders later items again, if the queue is empty and there is at most one worker.
    pub(crate) fn sort(&mut self, workers: usize) {
        if self.items.is_empty() {
            self.mixed = workers > 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Adds a task. A task from a worker goes into the local queue and may overtake earlier tasks.
    pub(crate) fn push(&mut self, id: usize, kind: Kind, on_worker: bool) {
        let mut item = Item::Task(id);
        if let Kind::OfStrand(strand) = kind {
            let line = &mut self.strands[strand];
            line.inbox.push((self.turn, id));
            if line.place != Place::Nowhere {
                return;
            }
            line.place = Place::Queue;
            item = Item::Strand(strand);
        }
        self.items.push((self.turn, item));
        self.mixed |= on_worker;
    }

    /// A running task of this kind has ended.
    pub(crate) fn ended(&mut self, kind: Kind) {
        if let Kind::OfStrand(strand) = kind {
            let turn = self.turn;
            self.strands[strand].step(turn);
        }
    }

    /// Empties the queue like a discard. Tasks behind the running task of a strand stay.
    pub(crate) fn drain(&mut self) -> Vec<usize> {
        let items = std::mem::take(&mut self.items);
        let tasks_of = |(_, item)| match item {
            Item::Task(id) => vec![id],
            Item::Strand(strand) => {
                let inbox = std::mem::take(&mut self.strands[strand]).inbox;
                inbox.into_iter().map(|(_, id)| id).collect()
            }
        };
        items.into_iter().flat_map(tasks_of).collect()
    }

    /// Counts strands that are on a worker and have no task running.
    fn between(&self) -> usize {
        let lines = self.strands.iter();
        lines.filter(|line| line.place == Place::Next).count()
    }

    /// Enqueues again a strand whose worker may have spent the strand's time slice, if there is one.
    fn end_slice(&mut self) -> bool {
        let next = |line: &Line| line.place == Place::Next;
        let Some(strand) = self.strands.iter().position(next) else {
            return false;
        };
        self.strands[strand].place = Place::Queue;
        self.items.push((self.turn, Item::Strand(strand)));
        true
    }

    /// Whether a worker may still hold the item from before it was pushed.
    fn may_be_kept(&self, item: Item) -> bool {
        matches!(item, Item::Strand(strand) if self.strands[strand].left == self.turn)
    }

    /// A worker takes the item, which must be the first of its lane.
    fn take(&mut self, item: Item, is_of_lane: impl Fn(Item) -> bool) -> Result<(), String> {
        let place = self.items.iter().position(|&(_, other)| other == item);
        let Some(place) = place else {
            return Err(format!("{item:?} is not in the queue"));
        };
        let (turn, _) = self.items.remove(place);
        let before = |&&(earlier, other): &&(usize, Item)| earlier < turn && is_of_lane(other);
        match self.items.iter().find(before) {
            Some(first) if !self.mixed && !self.may_be_kept(item) => {
                Err(format!("{first:?} is before {item:?}"))
            }
            _ => Ok(()),
        }
    }
}

impl Line {
    /// A worker takes this task.
    fn take(&mut self, id: usize) -> Result<(), String> {
        let Some(place) = self.inbox.iter().position(|&(_, other)| other == id) else {
            return Err(format!("{id} is not in its strand"));
        };
        let (turn, _) = self.inbox.remove(place);
        match self.inbox.first() {
            Some(&(first, other)) if first < turn => Err(format!("{other} is before it")),
            _ => Ok(()),
        }
    }

    /// The worker continues with the next task, or leaves the strand.
    fn step(&mut self, turn: usize) {
        self.place = Place::Next;
        if self.inbox.is_empty() {
            (self.place, self.left) = (Place::Nowhere, turn);
        }
    }
}

impl Model {
    /// Counts running tasks, and workers that are on a strand.
    pub(crate) fn busy(&self) -> usize {
        let running = |task: &&Task| task.stage == Stage::Running;
        self.tasks.iter().filter(running).count() + self.queue.between()
    }

    /// Counts running closures, and workers that are on a strand.
    fn occupied(&self) -> usize {
        let running = |task: &&Task| task.stage == Stage::Running && !task.kind.is_future();
        self.tasks.iter().filter(running).count() + self.queue.between()
    }

    /// Whether the item is a future.
    fn is_future(&self, item: Item) -> bool {
        matches!(item, Item::Task(id) if self.tasks[id].kind.is_future())
    }

    /// Whether a worker must take the queued item.
    fn has_worker(&self, item: Item) -> bool {
        let (busy, occupied) = (self.busy(), self.occupied());
        busy < self.max_threads || (self.is_future(item) && busy == occupied)
    }

    /// Whether a worker may take the queued item. A thread beyond the limit may exist for futures,
    /// and runs closures while fewer than the limit are running.
    fn may_have_worker(&self, item: Item) -> bool {
        if self.is_future(item) {
            self.busy() <= self.most_busy || self.has_worker(item)
        } else {
            self.busy() <= self.most_busy && self.occupied() < self.max_threads
        }
    }

    /// Forgets workers that were busy when the limit was lowered and are idle now.
    pub(crate) fn lower_most_busy(&mut self) {
        self.most_busy = self.most_busy.min(self.busy()).max(self.max_threads);
    }

    /// Whether the workers have nothing left to do until the next order.
    pub(crate) fn is_settled(&self) -> bool {
        let mut items = self.queue.items.iter();
        self.queue.between() == 0
            && !items.any(|&(_, item)| self.has_worker(item))
            && self
                .tasks
                .iter()
                .all(|task| task.gone || !task.must_be_gone())
    }

    /// Applies what the workers have done since the last call.
    pub(crate) fn learn(&mut self, events: &[Event], stats: &Stats) -> Result<(), String> {
        for &event in events {
            match event {
                Event::Begun(id) => self.begin(id),
                Event::Gone(id) => self.lose(id),
            }
            .map_err(|why| format!("{event:?}: {why}"))?;
        }
        // If none was enqueued again, a worker is free for it, and the model is not settled.
        while self.queue.end_slice() {}
        // After the strands, because each that is enqueued again is counted, too.
        self.remove_husks(stats.queued);
        Ok(())
    }

    /// Whether all that the queue holds of the task is the husk of a cancelled closure.
    pub(crate) fn is_husk(&self, id: usize) -> bool {
        matches!(self.tasks[id].stage, Stage::Ended(_))
    }

    /// Removes husks, the oldest first, until the queue has `len` items. Nothing else shows that a
    /// worker removed a husk.
    fn remove_husks(&mut self, len: usize) {
        while self.queue.len() > len {
            let is_husk =
                |&(_, item): &(usize, Item)| matches!(item, Item::Task(id) if self.is_husk(id));
            let Some(place) = self.queue.items.iter().position(is_husk) else {
                return;
            };
            self.queue.items.remove(place);
        }
    }

    /// Whether the task is dropped, and ends, when a worker takes it.
    fn is_lost_by_worker(&self, id: usize) -> bool {
        let task = &self.tasks[id];
        task.stage == Stage::Queued && (task.dead || task.terms.late || self.discarding)
    }

    fn come_for(&mut self, item: Item) -> Result<(), String> {
        while !self.may_have_worker(item) && !self.queue.may_be_kept(item) {
            if !self.queue.end_slice() {
                return Err("no worker is free".to_owned());
            }
        }
        let (tasks, is_future) = (&self.tasks, self.is_future(item));
        let is_of_lane = |other| match other {
            Item::Task(id) => {
                let task = &tasks[id];
                task.kind.is_future() == is_future && task.stage == Stage::Queued
            }
            Item::Strand(_) => !is_future,
        };
        self.queue.take(item, is_of_lane)
    }

    /// A worker takes a task, through its strand if it has one.
    fn come_for_task(&mut self, id: usize) -> Result<(), String> {
        let Kind::OfStrand(strand) = self.tasks[id].kind else {
            return self.come_for(Item::Task(id));
        };
        if self.queue.strands[strand].place != Place::Next {
            self.come_for(Item::Strand(strand))?;
        }
        self.queue.strands[strand].take(id)
    }

    fn begin(&mut self, id: usize) -> Result<(), String> {
        if self.tasks[id].stage != Stage::Queued || self.is_lost_by_worker(id) {
            return Err("it is not to run".to_owned());
        }
        self.come_for_task(id)?;
        let task = &mut self.tasks[id];
        task.stage = Stage::Running;
        task.waker = task.kind.is_future();
        if let Kind::OfStrand(strand) = task.kind {
            self.queue.strands[strand].place = Place::Worker;
        }
        Ok(())
    }

    fn lose(&mut self, id: usize) -> Result<(), String> {
        if std::mem::replace(&mut self.tasks[id].gone, true) {
            return Err("it was gone before".to_owned());
        }
        if self.is_lost_by_worker(id) {
            self.come_for_task(id)?;
            if let Kind::OfStrand(strand) = self.tasks[id].kind {
                let turn = self.queue.turn;
                self.queue.strands[strand].step(turn);
            }
            let task = &self.tasks[id];
            if task.dead || self.discarding {
                self.undo(id);
            } else {
                self.expire(id);
            }
        } else if !self.tasks[id].must_be_gone() {
            return Err("it is to be kept".to_owned());
        }
        Ok(())
    }
}
