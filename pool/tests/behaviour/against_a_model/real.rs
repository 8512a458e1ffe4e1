//! The pool under test and its submitters.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{JoinError, JoinHandle, Pool, Reserve, ShutdownError, Slot, SlotError, Strand};

use super::board::{Board, Gated, Order};
use super::model::Reply;
use super::op::{Act, Kind, STRANDS, Settings, Terms, Way};
use super::task::End;

/// What a submit returns: a handle if the task has one.
type Told = Result<Option<JoinHandle<usize>>, SlotError>;

/// The handles that accept tasks.
#[derive(Clone)]
struct Doors {
    pool: Pool,
    strands: [Strand; STRANDS],
}

/// A future that submits, polled by hand.
struct Asking {
    future: Pin<Box<dyn Future<Output = Told>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Real {
    doors: Doors,
    pub(crate) board: Board,
    asking: BTreeMap<usize, Asking>,
    reported: Arc<AtomicU64>,
}

impl Real {
    pub(crate) fn new(settings: Settings) -> Self {
        let reported = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&reported);
        let pool = Pool::builder()
            .capacity(settings.capacity)
            .threads(settings.min_threads..=settings.max_threads)
            .idle_expiry(settings.idle_expiry)
            .nonblocking(settings.nonblocking)
            .max_waiting(settings.max_waiting)
            .panic_handler(move |_| _ = count.fetch_add(1, Ordering::Relaxed))
            .build()
            .unwrap();
        let strands = std::array::from_fn(|_| pool.strand());
        Self {
            doors: Doors { pool, strands },
            board: Board::default(),
            asking: BTreeMap::new(),
            reported,
        }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.doors.pool
    }

    pub(crate) fn reported(&self) -> u64 {
        self.reported.load(Ordering::Relaxed)
    }

    /// Returns the async submitters, and whether they were woken.
    pub(crate) fn asking(&self) -> impl Iterator<Item = (usize, bool)> {
        let woken = |asking: &Asking| asking.woken.0.load(Ordering::Relaxed);
        self.asking
            .iter()
            .map(move |(&id, asking)| (id, woken(asking)))
    }

    /// Submits the next task without waiting. The answer goes to the board.
    pub(crate) fn submit(&mut self, way: Way, kind: Kind, terms: Terms, inside: Option<usize>) {
        let (task, doors, board) = (self.board.add(), self.doors.clone(), self.board.clone());
        let id = task.id;
        if way == Way::Async {
            let asking = Asking {
                future: Box::pin(doors.ask_async(kind, terms, task)),
                woken: Arc::default(),
            };
            self.asking.insert(id, asking);
            return self.poll(id);
        }
        let ask = move || board.answer(id, doors.ask(way, kind, terms, task));
        match inside {
            Some(running) => self.board.order(running, Order::Do(Box::new(ask))),
            None => _ = thread::spawn(ask),
        }
    }

    fn poll(&mut self, id: usize) {
        let asking = self.asking.get_mut(&id).expect("it was begun");
        let waker = Arc::clone(&asking.woken).into();
        let polled = asking
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(told) = polled {
            self.asking.remove(&id);
            self.board.answer(id, told);
        }
    }

    pub(crate) fn act(&mut self, act: Act, id: usize) -> Reply {
        match act {
            Act::Poll => self.poll(id),
            Act::GiveUp => _ = self.asking.remove(&id),
            Act::Return => self.board.order(id, Order::Return),
            Act::Panic => self.board.order(id, Order::Panic),
            Act::Suspend => self.board.order(id, Order::Suspend),
            Act::Wake => self.board.wake(id),
            Act::Forget => self.board.forget(id),
            Act::Cancel => {
                // Outside the lock, because the captures of the task report their drop to the board.
                let handle = self.take_handle(id);
                let cancelled = handle.cancel();
                self.board.notes().tasks[id].handle = Some(handle);
                return Reply::Cancelled(cancelled);
            }
            Act::LetGo => return Reply::LetGo(let_go(id, self.take_handle(id))),
        }
        Reply::Done
    }

    fn take_handle(&self, id: usize) -> JoinHandle<usize> {
        let handle = self.board.notes().tasks[id].handle.take();
        handle.expect("the model says that it is there")
    }

    pub(crate) fn set_threads(&self, min: usize, max: usize) -> Reply {
        Reply::Tuned(self.pool().set_threads(min..=max).is_ok())
    }

    /// Shuts down and waits for at most `timeout`.
    pub(crate) fn shutdown(&self, timeout: Duration) -> Reply {
        match self.pool().shutdown().wait_timeout(timeout) {
            Ok(()) => Reply::Shut(true),
            Err(ShutdownError::Timeout(_)) => Reply::Shut(false),
            Err(error) => panic!("only a worker or a reopen gets this error: {error}"),
        }
    }
}

impl Drop for Real {
    /// Ends all tasks and submitters, also after a failure.
    fn drop(&mut self) {
        self.board.end();
        self.pool().close();
    }
}

/// Takes the result if the task has ended, and checks that it belongs to the task.
fn let_go(id: usize, handle: JoinHandle<usize>) -> Option<End> {
    if !handle.is_finished() {
        return None;
    }
    Some(match handle.wait() {
        Ok(result) => {
            assert_eq!(result, id, "somebody else's result");
            End::Returned
        }
        Err(JoinError::Panicked(panic)) => {
            let payload = panic.into_payload();
            assert_eq!(payload.downcast_ref(), Some(&id), "somebody else's panic");
            End::Panicked
        }
        Err(JoinError::Cancelled) => End::Undone,
        Err(JoinError::Expired) => End::Expired,
        Err(other) => panic!("no such end: {other}"),
    })
}

fn without_handle(told: Result<(), SlotError>) -> Told {
    told.map(|()| None)
}

impl Doors {
    /// Submits by the given way.
    fn ask(&self, way: Way, kind: Kind, terms: Terms, task: Gated) -> Told {
        if terms == Terms::DEFAULT {
            match way {
                Way::Plain => return self.ask_plainly(kind, task),
                Way::Try if !kind.has_handle() => return self.ask_at_once(kind, task),
                _ => {}
            }
        }
        let reserve = self.reserve(kind, terms);
        let slot = match way {
            Way::Try => self.try_reserve(kind, terms)?,
            Way::Plain => reserve.wait()?,
            Way::Timeout => reserve.wait_timeout(Duration::ZERO)?,
            Way::Async => unreachable!("that one is polled"),
        };
        Ok(submit_into(slot, kind, terms, task))
    }

    /// Submits by the methods that reserve no slot first.
    fn ask_plainly(&self, kind: Kind, task: Gated) -> Told {
        let pool = &self.pool;
        match kind {
            Kind::Closure => without_handle(pool.submit(task.silent_closure())),
            Kind::Future => without_handle(pool.spawn(task.silent())),
            Kind::ClosureWithHandle => pool.submit_with_handle(task.closure()).map(Some),
            Kind::FutureWithHandle => pool.spawn_with_handle(task).map(Some),
            Kind::OfStrand(strand) => {
                without_handle(self.strands[strand].submit(task.silent_closure()))
            }
        }
    }

    /// Submits by the methods that return the task if the pool refuses it.
    fn ask_at_once(&self, kind: Kind, task: Gated) -> Told {
        let pool = &self.pool;
        without_handle(match kind {
            Kind::Future => pool.try_spawn(task.silent()).map_err(SlotError::from),
            Kind::OfStrand(strand) => self.strands[strand]
                .try_submit(task.silent_closure())
                .map_err(SlotError::from),
            _ => pool
                .try_submit(task.silent_closure())
                .map_err(SlotError::from),
        })
    }

    async fn ask_async(self, kind: Kind, terms: Terms, task: Gated) -> Told {
        let slot = self.reserve(kind, terms).await?;
        Ok(submit_into(slot, kind, terms, task))
    }

    fn reserve(&self, kind: Kind, terms: Terms) -> Reserve<'_> {
        match kind {
            Kind::OfStrand(strand) => self.strands[strand].slots(terms.slots),
            _ => self.pool.slots(terms.slots),
        }
    }

    fn try_reserve(&self, kind: Kind, terms: Terms) -> Result<Slot<'_>, SlotError> {
        match kind {
            Kind::OfStrand(strand) => self.strands[strand].try_slots(terms.slots),
            _ => self.pool.try_slots(terms.slots),
        }
    }
}

fn submit_into(slot: Slot<'_>, kind: Kind, terms: Terms, task: Gated) -> Option<JoinHandle<usize>> {
    let slot = if terms.late {
        slot.expires_at(Instant::now())
    } else {
        slot
    };
    match kind {
        Kind::Closure | Kind::OfStrand(_) => slot.submit(task.silent_closure()),
        Kind::Future => slot.spawn(task.silent()),
        Kind::ClosureWithHandle => return Some(slot.submit_with_handle(task.closure())),
        Kind::FutureWithHandle => return Some(slot.spawn_with_handle(task)),
    }
    None
}
