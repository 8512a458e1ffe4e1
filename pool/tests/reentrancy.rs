//! What a worker is told that submits to its own full pool.

mod support;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use anthill::{Pool, Reentrancy, SubmitError};
use support::{Gate, pool};

fn in_place(capacity: usize) -> Pool {
    let builder = Pool::builder().capacity(capacity).threads(0..=1);
    builder.reentrancy(Reentrancy::RunInPlace).build().unwrap()
}

/// What `f` returns when it runs as a task of `pool`.
fn within<T: Send + 'static>(pool: &Pool, f: impl FnOnce(&Pool) -> T + Send + 'static) -> T {
    let own = pool.clone();
    pool.submit_with_handle(move || f(&own))
        .unwrap()
        .join()
        .unwrap()
}

#[test]
fn by_default_a_wait_is_refused_and_the_task_comes_back() {
    let pool = pool(1, 1);
    let answer = within(&pool, |own| {
        let refused = own.submit(|| ()).unwrap_err();
        matches!(refused, SubmitError::WouldDeadlock(_))
    });
    assert!(answer);
    assert_eq!(pool.stats().rejected_would_deadlock, 1);
}

#[test]
fn in_place_a_closure_runs_before_the_submit_returns() {
    let pool = in_place(1);
    let (order, caller) = within(&pool, |own| {
        let (said, heard) = mpsc::channel();
        let inner = said.clone();
        own.submit(move || inner.send(thread::current().id()).unwrap())
            .unwrap();
        let ran_on = heard.try_recv();
        (ran_on, thread::current().id())
    });
    assert_eq!(order, Ok(caller));
    pool.shutdown().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.completed), (2, 2));
    assert_eq!(stats.rejected_would_deadlock, 0);
}

#[test]
fn every_waiting_submit_of_a_closure_runs_in_place() {
    let pool = in_place(1);
    let sum = within(&pool, |own| {
        let (said, heard) = mpsc::channel();
        let again = said.clone();
        own.submit_timeout(move || said.send(1).unwrap(), Duration::from_secs(60))
            .unwrap();
        let handle = own.submit_with_handle(|| 10).unwrap();
        let call = anthill::FnPool::new(own.clone(), move |n: i32| again.send(n).unwrap());
        call.submit(100).unwrap();
        drop(call);
        handle.join().unwrap() + heard.iter().sum::<i32>()
    });
    assert_eq!(sum, 111);
}

#[test]
fn a_submit_that_does_not_wait_never_runs_in_place() {
    let pool = in_place(1);
    assert!(within(&pool, |own| own.try_submit(|| ()).is_err()));
}

#[test]
fn a_panic_in_place_ends_the_inner_task_alone() {
    let pool = in_place(1);
    let survived = within(&pool, |own| {
        own.submit(|| std::panic::resume_unwind(Box::new(())))
            .is_ok()
    });
    assert!(survived);
    pool.shutdown().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.panicked, stats.completed), (1, 1));
}

#[test]
fn in_place_a_future_submits_from_within_its_poll() {
    let pool = in_place(1);
    let own = pool.clone();
    let (said, heard) = mpsc::channel();
    pool.spawn(async move { own.submit(move || said.send(7).unwrap()).unwrap() })
        .unwrap();
    assert_eq!(heard.recv(), Ok(7));
}

#[test]
fn what_cannot_run_in_place_is_refused() {
    let pool = in_place(1);
    let refused = within(&pool, |own| {
        let spawned = own.spawn(async {}).unwrap_err().without_task();
        let reserved = own.slot_timeout(Duration::from_secs(60)).unwrap_err();
        let in_order = own.strand().submit(|| ()).unwrap_err().without_task();
        [spawned, reserved, in_order]
    });
    assert_eq!(refused, [SubmitError::WouldDeadlock(()); 3]);
}

#[test]
fn a_task_of_another_entrance_lends_no_slot() {
    let pool = in_place(1);
    let side = pool.subpool().capacity(1).build().unwrap();
    let held = pool.try_slot().unwrap();
    let root = pool.clone();
    let refused = within(&side, move |side| {
        let to_root = root.submit(|| ()).map_err(SubmitError::without_task);
        let to_side = side.submit(|| ()).map_err(SubmitError::without_task);
        (to_root, to_side)
    });
    assert_eq!(refused, (Err(SubmitError::WouldDeadlock(())), Ok(())));
    drop(held);
}

/// A waker is called when a slot comes back, and that slot is not the waker's.
#[test]
fn a_waker_lends_no_slot() {
    struct Submits(Pool, mpsc::Sender<bool>);
    impl Wake for Submits {
        fn wake(self: Arc<Self>) {
            let refused = matches!(self.0.submit(|| ()), Err(SubmitError::WouldDeadlock(_)));
            self.1.send(refused).unwrap();
        }
    }
    let (pool, gate) = (in_place(1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    let (said, heard) = mpsc::channel();
    let waker = Waker::from(Arc::new(Submits(pool.clone(), said)));
    let mut waits = pin!(pool.slot_async());
    assert!(
        waits
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    gate.open();
    // The slot is the waiting one's, so a closure that ran in place would be one too many.
    assert_eq!(heard.recv(), Ok(true));
}

#[test]
fn a_stop_hook_lends_no_slot() {
    let cell: Arc<Mutex<Option<Pool>>> = Arc::default();
    let ((said, heard), (go, wait)) = (mpsc::channel(), mpsc::channel());
    let (hooked, wait) = (Arc::clone(&cell), Mutex::new(wait));
    let pool = Pool::builder()
        .capacity(1)
        .threads(0..=1)
        .idle_expiry(Duration::ZERO)
        .reentrancy(Reentrancy::RunInPlace)
        .on_thread_stop(move || {
            if let Some(pool) = hooked.lock().unwrap().take() {
                wait.lock().unwrap().recv().unwrap();
                let told = pool.submit(|| ()).map_err(SubmitError::without_task);
                said.send(told).unwrap();
            }
        })
        .build()
        .unwrap();
    *cell.lock().unwrap() = Some(pool.clone());
    pool.submit(|| ()).unwrap();
    let held = pool.slot().unwrap();
    go.send(()).unwrap();
    assert_eq!(heard.recv(), Ok(Err(SubmitError::WouldDeadlock(()))));
    drop(held);
}
