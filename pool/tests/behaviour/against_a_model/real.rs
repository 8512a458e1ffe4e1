//! The pool under test and its submitters.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::Duration;

use anthill::{JoinError, JoinHandle, Pool, ShutdownError, SlotError, Strand};

use super::board::{Board, Gated, Order};
use super::model::{End, Reply};
use super::op::{Act, Kind, STRANDS, Settings, Way};

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
    pub(crate) fn submit(&mut self, way: Way, kind: Kind, inside: Option<usize>) {
        let (task, doors, board) = (self.board.add(), self.doors.clone(), self.board.clone());
        let id = task.id;
        if way == Way::Async {
            let asking = Asking {
                future: Box::pin(doors.ask_async(kind, task)),
                woken: Arc::default(),
            };
            self.asking.insert(id, asking);
            return self.poll(id);
        }
        let ask = move || board.answer(id, doors.ask(way, kind, task));
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
        Err(other) => panic!("no such end: {other}"),
    })
}

fn without_handle(told: Result<(), impl Into<SlotError>>) -> Told {
    told.map(|()| None).map_err(Into::into)
}

impl Doors {
    /// Submits by the given way.
    fn ask(&self, way: Way, kind: Kind, task: Gated) -> Told {
        let (pool, now) = (&self.pool, Duration::ZERO);
        match (kind, way) {
            (_, Way::Async) => unreachable!("that one is polled"),
            (Kind::Closure, Way::Try) => without_handle(pool.try_submit(task.silent_closure())),
            (Kind::Closure, Way::Plain) => without_handle(pool.submit(task.silent_closure())),
            (Kind::Closure, Way::Timeout) => without_handle(
                pool.slot()
                    .wait_timeout(now)
                    .map(|slot| slot.submit(task.silent_closure())),
            ),
            (Kind::Future, Way::Try) => without_handle(pool.try_spawn(task.silent())),
            (Kind::Future, Way::Plain) => without_handle(pool.spawn(task.silent())),
            (Kind::Future, Way::Timeout) => without_handle(
                pool.slot()
                    .wait_timeout(now)
                    .map(|slot| slot.spawn(task.silent())),
            ),
            (Kind::ClosureWithHandle, Way::Plain) => {
                pool.submit_with_handle(task.closure()).map(Some)
            }
            (Kind::FutureWithHandle, Way::Plain) => pool.spawn_with_handle(task).map(Some),
            (Kind::ClosureWithHandle, Way::Try) => pool
                .try_slot()
                .map(|slot| Some(slot.submit_with_handle(task.closure()))),
            (Kind::FutureWithHandle, Way::Try) => pool
                .try_slot()
                .map(|slot| Some(slot.spawn_with_handle(task))),
            (Kind::ClosureWithHandle, Way::Timeout) => pool
                .slot()
                .wait_timeout(now)
                .map(|slot| Some(slot.submit_with_handle(task.closure()))),
            (Kind::FutureWithHandle, Way::Timeout) => pool
                .slot()
                .wait_timeout(now)
                .map(|slot| Some(slot.spawn_with_handle(task))),
            (Kind::OfStrand(strand), way) => {
                let (strand, closure) = (&self.strands[strand], task.silent_closure());
                without_handle(match way {
                    Way::Try => strand.try_submit(closure).map_err(SlotError::from),
                    Way::Timeout => strand
                        .slot()
                        .wait_timeout(now)
                        .map(|slot| slot.submit(closure)),
                    Way::Plain | Way::Async => strand.submit(closure),
                })
            }
        }
    }

    async fn ask_async(self, kind: Kind, task: Gated) -> Told {
        let pool = &self.pool;
        match kind {
            Kind::Closure => without_handle(
                pool.slot()
                    .await
                    .map(|slot| slot.submit(task.silent_closure())),
            ),
            Kind::Future => without_handle(pool.slot().await.map(|slot| slot.spawn(task.silent()))),
            Kind::ClosureWithHandle => {
                let slot = pool.slot().await?;
                Ok(Some(slot.submit_with_handle(task.closure())))
            }
            Kind::FutureWithHandle => {
                let slot = pool.slot().await?;
                Ok(Some(slot.spawn_with_handle(task)))
            }
            Kind::OfStrand(strand) => {
                let strand = &self.strands[strand];
                without_handle(
                    strand
                        .slot()
                        .await
                        .map(|slot| slot.submit(task.silent_closure())),
                )
            }
        }
    }
}
