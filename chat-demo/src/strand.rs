//! A strand: operations on one thing, applied one at a time and in the order of their coming, by whichever worker is
//! free. Strands run in parallel, and an idle one costs no task.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use anthill::{Pool, Slot, SlotError};
use parking_lot::Mutex;

/// How many operations one task applies before it lets other tasks of the pool run.
const BUDGET: usize = 64;

/// What a strand guards.
pub(crate) trait Actor: Send + 'static {
    type Op: Send;

    fn apply(&mut self, op: Self::Op);
}

/// See the module's documentation.
pub(crate) struct Strand<A: Actor>(Arc<Shared<A>>);

struct Shared<A: Actor> {
    pool: Pool,
    inbox: Mutex<Inbox<A::Op>>,
    /// Locked by the draining task; the next one waits at most for its last steps.
    actor: Mutex<A>,
}

struct Inbox<Op> {
    /// Each operation holds a slot of the pool until it is applied: so the pool's capacity bounds what can wait here,
    /// and who sends faster than the pool works is held up. Only those that may not wait come without.
    ops: VecDeque<(Op, Option<Slot>)>,
    /// Whether a task drains, or is about to. Never unset while an operation with a slot is queued.
    scheduled: bool,
}

impl<A: Actor> Strand<A> {
    pub(crate) fn new(actor: A, pool: Pool) -> Self {
        let inbox = Mutex::new(Inbox {
            ops: VecDeque::new(),
            scheduled: false,
        });
        Self(Arc::new(Shared {
            pool,
            inbox,
            actor: Mutex::new(actor),
        }))
    }

    /// Queues an operation once the pool has a slot for it.
    pub(crate) async fn send(&self, op: A::Op) -> Result<(), SlotError> {
        let slot = self.0.pool.slot_async().await?;
        self.0.accept(op, Some(slot));
        Ok(())
    }

    /// Queues an operation without waiting. With the pool full and this strand idle it is applied before the next.
    pub(crate) fn send_now(&self, op: A::Op) {
        self.0.accept(op, self.0.pool.try_slot().ok());
    }
}

impl<A: Actor> Shared<A> {
    fn accept(self: &Arc<Self>, op: A::Op, slot: Option<Slot>) {
        let mut inbox = self.inbox.lock();
        inbox.ops.push_back((op, slot));
        if inbox.scheduled {
            return;
        }
        if let Some(slot) = inbox.take_slot() {
            inbox.scheduled = true;
            drop(inbox);
            self.submit(slot);
        }
    }

    fn submit(self: &Arc<Self>, slot: Slot) {
        let shared = self.clone();
        slot.submit(move || shared.drain());
    }

    fn drain(self: Arc<Self>) {
        let _resume = ResumeOnPanic(&self);
        while !self.apply_some() && !self.hand_over() {}
    }

    /// Applies what is queued, within the budget. True when nothing is left: then the strand is idle, and the next
    /// sender schedules it.
    fn apply_some(&self) -> bool {
        // Before the first look at the inbox: the order of taking is the order of applying.
        let mut actor = self.actor.lock();
        for _ in 0..BUDGET {
            let mut inbox = self.inbox.lock();
            let Some((op, _slot)) = inbox.ops.pop_front() else {
                inbox.scheduled = false;
                // A burst's memory is not an idle strand's to keep.
                inbox.ops = VecDeque::new();
                return true;
            };
            drop(inbox);
            actor.apply(op);
        }
        false
    }

    /// Leaves the rest to another task; false when there is a rest and the pool takes no task for it.
    fn hand_over(self: &Arc<Self>) -> bool {
        let mut inbox = self.inbox.lock();
        if inbox.ops.is_empty() {
            inbox.scheduled = false;
            return true;
        }
        let Some(slot) = inbox.take_slot().or_else(|| self.pool.try_slot().ok()) else {
            return false;
        };
        drop(inbox);
        self.submit(slot);
        true
    }
}

impl<Op> Inbox<Op> {
    /// The slot of the first operation that has one: the task that drains needs it, and ends after that operation.
    fn take_slot(&mut self) -> Option<Slot> {
        self.ops.iter_mut().find_map(|(_, slot)| slot.take())
    }
}

/// A panic ends the operation and the task, not the strand.
struct ResumeOnPanic<'a, A: Actor>(&'a Arc<Shared<A>>);

impl<A: Actor> Drop for ResumeOnPanic<'_, A> {
    fn drop(&mut self) {
        if thread::panicking() && !self.0.hand_over() {
            self.0.inbox.lock().scheduled = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    /// Notes what it is told, and obeys it.
    struct Notes(mpsc::Sender<u32>);

    enum Op {
        Note(u32),
        Panic,
        Wait(mpsc::Receiver<()>),
    }

    impl Actor for Notes {
        type Op = Op;

        fn apply(&mut self, op: Op) {
            match op {
                Op::Note(number) => self.0.send(number).expect("the test listens"),
                Op::Panic => panic!("as told"),
                Op::Wait(go) => go.recv().expect("the test says when"),
            }
        }
    }

    fn strand(capacity: usize) -> (Strand<Notes>, mpsc::Receiver<u32>, Pool) {
        let pool = Pool::builder()
            .capacity(capacity)
            .threads(1..=2)
            .panic_handler(drop)
            .build()
            .expect("a pool");
        let (notes, read) = mpsc::channel();
        (Strand::new(Notes(notes), pool.clone()), read, pool)
    }

    /// Sends where the pool has a slot at once.
    fn send(strand: &Strand<Notes>, op: Op) -> bool {
        let mut sending = pin!(strand.send(op));
        sending
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn operations_are_applied_in_order_beyond_the_budget() {
        let count = u32::try_from(BUDGET).expect("small") * 5;
        let (strand, notes, _pool) = strand(BUDGET * 10);
        let (go, wait) = mpsc::channel();
        assert!(send(&strand, Op::Wait(wait)));
        for number in 0..count {
            assert!(send(&strand, Op::Note(number)));
        }
        go.send(()).expect("the strand waits");
        assert!(notes.iter().take(count as usize).eq(0..count));
    }

    #[test]
    fn each_thread_sees_its_own_order() {
        let (strand, notes, _pool) = strand(100_000);
        thread::scope(|scope| {
            for thread in 0..4 {
                let strand = &strand;
                scope.spawn(move || {
                    for number in 0..1000 {
                        assert!(send(strand, Op::Note(thread * 1000 + number)));
                    }
                });
            }
        });
        let mut next = [0, 1000, 2000, 3000];
        for number in notes.iter().take(4000) {
            let thread = number as usize / 1000;
            assert_eq!(number, next[thread]);
            next[thread] += 1;
        }
    }

    #[test]
    fn a_panic_takes_one_operation_and_no_more() {
        let (strand, notes, _pool) = strand(10);
        let (go, wait) = mpsc::channel();
        assert!(send(&strand, Op::Wait(wait)));
        assert!(send(&strand, Op::Panic) && send(&strand, Op::Note(1)));
        go.send(()).expect("the strand waits");
        assert_eq!(notes.recv(), Ok(1));
        while !send(&strand, Op::Note(2)) {}
        assert_eq!(notes.recv(), Ok(2));
    }

    #[test]
    fn queued_operations_fill_the_pool() {
        let (strand, notes, pool) = strand(3);
        let (go, wait) = mpsc::channel();
        assert!(send(&strand, Op::Wait(wait)));
        assert!(send(&strand, Op::Note(1)) && send(&strand, Op::Note(2)));
        assert!(!send(&strand, Op::Note(3)), "the sender has to wait");
        assert_eq!(pool.stats().free, 0);
        go.send(()).expect("the strand waits");
        assert!(notes.iter().take(2).eq(1..=2));
        while pool.stats().in_flight > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn an_operation_that_may_not_wait_is_applied_with_the_next() {
        let (strand, notes, pool) = strand(1);
        let slot = pool.try_slot().expect("a free pool");
        strand.send_now(Op::Note(1));
        assert!(notes.try_recv().is_err());
        drop(slot);
        assert!(send(&strand, Op::Note(2)));
        assert!(notes.iter().take(2).eq(1..=2));
    }
}
