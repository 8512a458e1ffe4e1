use std::time::Duration;

use super::*;
use crate::engine::entrance::Entrance;
use crate::engine::scheduler::Scheduler;
use crate::engine::settings::{Hooks, Settings};
use crate::sync::Arc;
use crate::wait::Parker;

/// A worker without a thread, in a pool where one worker may run closures.
fn worker() -> Worker {
    let settings = Settings {
        name: "test".into(),
        stack_size: None,
        idle_expiry: Duration::MAX,
        panic_handler: None,
        hooks: Hooks::default(),
        sampler: None,
        reactor: None,
        around: None,
        context: None,
    };
    let root = Entrance::new(1, Priority::Normal, false, 0);
    let scheduler = Scheduler::new(settings, root, (0, 1), |_| ());
    assert!(scheduler.idle.enlist(|| false));
    Worker {
        parker: Arc::new(Parker::new()),
        fairness: Fairness::new(),
        seat: Seat::take(scheduler),
        searching: true,
        moved: false,
        newly_occupied: false,
    }
}

fn task() -> Task<Seat> {
    Task::new(|_: &Seat| ())
}

impl Worker {
    fn push_own(&self, lane: Lane, count: usize) {
        let own = self.seat.own.as_ref().unwrap();
        let push = || self.seat.scheduler.queues.push_own(own, lane, task());
        (0..count).for_each(|_| push());
    }

    fn own_len(&self, lane: Lane) -> usize {
        self.seat.own.as_ref().unwrap().len(lane)
    }

    fn occupy_itself(&self) {
        assert!(self.seat.scheduler.idle.occupy());
        self.seat.set_occupancy(Occupancy::Occupied);
    }

    /// Counts another worker as occupied.
    fn occupy_another(&self) {
        assert!(self.seat.scheduler.idle.occupy());
    }
}

#[test]
fn free_worker_takes_a_batch_of_futures() {
    let mut worker = worker();
    (0..8).for_each(|_| worker.seat.scheduler.queues.push_future(task()));
    assert!(worker.find().is_some());
    assert!(worker.own_len(Lane::Futures) > 0);
    assert!(worker.moved, "the batch may need other workers");
}

#[test]
fn occupied_worker_takes_one_future() {
    let mut worker = worker();
    worker.occupy_itself();
    (0..8).for_each(|_| worker.seat.scheduler.queues.push_future(task()));
    assert!(worker.find().is_some());
    assert_eq!((worker.own_len(Lane::Futures), worker.moved), (0, false));
}

#[test]
fn worker_is_occupied_only_by_a_closure() {
    let mut worker = worker();
    assert!(worker.find().is_none());
    assert_eq!(worker.seat.occupancy(), Occupancy::Free);
    worker.push_own(Lane::Closures, 1);
    assert!(worker.find().is_some());
    assert_eq!(worker.seat.occupancy(), Occupancy::Occupied);
}

#[test]
fn futures_go_on_beside_a_closure_that_must_wait() {
    let mut worker = worker();
    worker.searching = false;
    worker.occupy_another();
    let count = 2 * FUTURES_IN_ROW;
    worker.push_own(Lane::Futures, count as usize);
    let queues = &worker.seat.scheduler.queues;
    queues.push_closure(task(), Priority::Normal);
    for found in 0..count {
        assert!(worker.find().is_some(), "{found} of {count} futures found");
    }
}

#[test]
fn worker_that_may_run_no_closure_returns_its_own() {
    let mut worker = worker();
    worker.occupy_another();
    worker.push_own(Lane::Closures, 2);
    assert!(worker.find().is_none());
    assert_eq!(worker.own_len(Lane::Closures), 0);
    assert_eq!(worker.seat.scheduler.queues.lens(), (0, [0, 2, 0]));
}

/// Returns the occupancy of an occupied worker after it has run `closures` and then checked beyond
/// its own queues.
fn occupancy_after(closures: usize) -> Occupancy {
    let mut worker = worker();
    worker.occupy_itself();
    worker.push_own(Lane::Closures, closures);
    worker.push_own(Lane::Futures, OUTSIDE_INTERVAL as usize + 1);
    for _ in 0..=OUTSIDE_INTERVAL {
        assert!(worker.find().is_some());
    }
    worker.seat.occupancy()
}

#[test]
fn worker_that_ran_only_futures_ends_its_occupancy() {
    assert_eq!(occupancy_after(0), Occupancy::Free);
    assert_eq!(occupancy_after(1), Occupancy::Occupied);
}
