//! A subscriber that panics breaks no scope and no worker. It is the global subscriber of its process.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anthill::JoinError;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::child::in_own_process;
use crate::support::{PATIENCE, eventually, pool};

/// Panics at each event, and if asked to at each span that is made, entered or left.
struct Panics;

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        if MAKES.load(Ordering::Relaxed) {
            resume_unwind(Box::new("the subscriber"));
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        resume_unwind(Box::new("the subscriber"));
    }

    fn enter(&self, _: &Id) {
        if ENTERS.load(Ordering::Relaxed) {
            resume_unwind(Box::new("the subscriber"));
        }
    }

    fn exit(&self, _: &Id) {
        if EXITS.load(Ordering::Relaxed) {
            resume_unwind(Box::new("the subscriber"));
        }
    }
}

static ENTERS: AtomicBool = AtomicBool::new(false);
static EXITS: AtomicBool = AtomicBool::new(false);
static MAKES: AtomicBool = AtomicBool::new(false);

/// One test, for there is one subscriber.
#[test]
fn panicking_subscriber_breaks_no_scope_and_no_worker() {
    in_own_process(
        "hostile_subscriber::panicking_subscriber_breaks_no_scope_and_no_worker",
        || {
            tracing::subscriber::set_global_default(Panics).unwrap();
            let pool = pool(8, 1);
            let own = pool.clone();
            let late = pool.submit_with_handle(move || {
                let late = AtomicUsize::new(0);
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    let here = AtomicBool::new(true);
                    own.scope(|scope| {
                        let submit = |fails: bool| {
                            let (here, late) = (&here, &late);
                            let task = move || {
                                late.fetch_add(
                                    usize::from(!here.load(Ordering::Relaxed)),
                                    Ordering::Relaxed,
                                );
                                if fails {
                                    resume_unwind(Box::new("a task"));
                                }
                            };
                            scope.submit(task).unwrap();
                        };
                        // The last first, within a task: two panics, of which one is logged, before the first task.
                        for fails in [false, true, true] {
                            submit(fails);
                        }
                    });
                    here.store(false, Ordering::Relaxed);
                }));
                (ended.is_err(), late.into_inner())
            });
            assert_eq!(late.unwrap().wait().unwrap(), (true, 0));

            for _ in 0..3 {
                pool.submit(|| resume_unwind(Box::new("logged"))).unwrap();
            }
            assert_eq!(pool.submit_with_handle(|| 5).unwrap().wait().unwrap(), 5);

            ENTERS.store(true, Ordering::Relaxed);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                pool.scope(|scope| scope.submit(|| ()).unwrap());
            }));
            assert!(ended.is_err(), "its task was not run");
            ENTERS.store(false, Ordering::Relaxed);

            // The span panics with a slot reserved: the slot is kept and the task runs.
            MAKES.store(true, Ordering::Relaxed);
            pool.submit(|| ()).unwrap();
            pool.spawn(async {}).unwrap();
            pool.strand().submit(|| ()).unwrap();
            assert_eq!(pool.submit_with_handle(|| 6).unwrap().wait().unwrap(), 6);
            assert_eq!(
                pool.spawn_with_handle(async { 7 }).unwrap().wait().unwrap(),
                7
            );
            MAKES.store(false, Ordering::Relaxed);

            // A span that panics after the last poll loses the output, but not the handle.
            EXITS.store(true, Ordering::Relaxed);
            for expires_at in [Instant::now() + PATIENCE, Instant::now()] {
                let slot = pool.slot().wait().unwrap().expires_at(expires_at);
                let lost = slot.spawn_with_handle(async { 8 });
                eventually(|| lost.is_finished());
                assert!(matches!(lost.wait(), Err(JoinError::Cancelled)));
            }
            EXITS.store(false, Ordering::Relaxed);
            pool.shutdown().wait().unwrap();
            assert_eq!(pool.in_flight(), 0);
            assert_eq!(pool.stats().threads, 0);
        },
    );
}
