//! Context that tasks take from their submitters.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use anthill::{Balance, Builder, JoinError, Pool};

use crate::support::{block_on, yield_now};

thread_local!(static REQUEST: Cell<u32> = const { Cell::new(0) });

fn request() -> u32 {
    REQUEST.get()
}

/// Restores the request id of the submitter.
fn builder() -> Builder {
    Pool::builder().threads(0..=1).context(|| {
        let request = REQUEST.get();
        move |run: &mut dyn FnMut()| {
            let before = REQUEST.replace(request);
            run();
            REQUEST.set(before);
        }
    })
}

#[test]
fn every_kind_of_task_runs_in_the_context_of_its_submitter() {
    let pool = builder().build().unwrap();
    let (sent, seen) = mpsc::channel();
    let tell = || {
        let sent = sent.clone();
        move || sent.send(request()).unwrap()
    };
    REQUEST.set(1);
    pool.submit(tell()).unwrap();
    let inside = tell();
    pool.spawn(async move { inside() }).unwrap();
    pool.try_submit(tell()).unwrap();
    pool.slot().wait().unwrap().named("seen").submit(tell());
    pool.strand().submit(tell()).unwrap();
    let subpool = pool.subpool().build().unwrap();
    subpool.submit(tell()).unwrap();
    assert_eq!(seen.iter().take(6).collect::<Vec<_>>(), [1; 6]);
    assert_eq!(pool.run(request).wait().unwrap(), 1);
    assert_eq!(pool.submit_with_handle(request).unwrap().wait().unwrap(), 1);
    let mut scoped = 0;
    pool.scope(|scope| scope.submit(|| scoped = request()).unwrap());
    assert_eq!(scoped, 1);
    let shards = builder().build_multi(2, Balance::default()).unwrap();
    assert_eq!(shards.run(request).wait().unwrap(), 1);
    let large = [1_u8; 10_000];
    let task = pool.submit_with_handle(move || (large.len(), request()));
    assert_eq!(task.unwrap().wait().unwrap(), (10_000, 1));
    REQUEST.set(0);
}

#[test]
fn future_has_its_context_at_every_poll() {
    let pool = builder().build().unwrap();
    REQUEST.set(2);
    let task = pool.spawn_with_handle(async {
        let first = request();
        yield_now().await;
        (first, request())
    });
    REQUEST.set(3);
    let other = pool.spawn_with_handle(async { request() }).unwrap();
    assert_eq!(block_on(task.unwrap()).unwrap(), (2, 2));
    assert_eq!(block_on(other).unwrap(), 3);
    REQUEST.set(0);
    let clean = pool.submit_with_handle(request).unwrap();
    assert_eq!(clean.wait().unwrap(), 0, "restored after each task");
}

#[test]
fn closure_that_a_joiner_runs_in_place_has_its_own_context() {
    let pool = builder().build().unwrap();
    REQUEST.set(4);
    let inner = pool.clone();
    let outer = pool.submit_with_handle(move || {
        REQUEST.set(5);
        let task = inner.submit_with_handle(request).unwrap();
        REQUEST.set(6);
        (task.wait().unwrap(), request())
    });
    assert_eq!(outer.unwrap().wait().unwrap(), (5, 6));
    REQUEST.set(0);
}

#[test]
fn panic_of_the_hook_loses_no_task() {
    let (reported, reports) = mpsc::channel();
    let builder = Pool::builder()
        .threads(0..=1)
        .context(|| -> fn(&mut dyn FnMut()) {
            panic!("no context");
        });
    let builder = builder.panic_handler(move |panic| {
        reported.send(panic.message().map(str::to_owned)).unwrap();
    });
    let pool = builder.build().unwrap();
    assert_eq!(pool.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
    assert_eq!(reports.recv().unwrap().as_deref(), Some("no context"));
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, pool.in_flight()), (1, 0));
}

#[test]
fn task_runs_even_if_the_hook_does_not_call_it() {
    let builder = Pool::builder().context(|| |_: &mut dyn FnMut()| ());
    let pool = builder.build().unwrap();
    assert_eq!(pool.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
}

/// A pool whose context runs a task by `restore`, and the messages of reported panics.
fn hostile(restore: fn(&mut dyn FnMut())) -> (Pool, mpsc::Receiver<Option<String>>) {
    let (reported, reports) = mpsc::channel();
    let builder = Pool::builder().threads(0..=1).context(move || restore);
    let builder = builder.panic_handler(move |panic| {
        reported.send(panic.message().map(str::to_owned)).unwrap();
    });
    (builder.build().unwrap(), reports)
}

#[test]
fn panic_around_a_task_is_reported_and_loses_no_result() {
    let before: fn(&mut dyn FnMut()) = |_| panic!("around");
    let after: fn(&mut dyn FnMut()) = |run| {
        run();
        panic!("around");
    };
    for restore in [before, after] {
        let (pool, reports) = hostile(restore);
        pool.submit(|| ()).unwrap();
        pool.spawn(async {}).unwrap();
        assert_eq!(pool.submit_with_handle(|| 7).unwrap().wait().unwrap(), 7);
        let future = pool.spawn_with_handle(async { 7 }).unwrap();
        crate::support::eventually(|| future.is_finished());
        assert_eq!(future.wait().unwrap(), 7);
        let mut scoped = 0;
        pool.scope(|scope| scope.submit(|| scoped = 7).unwrap());
        assert_eq!(scoped, 7);
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.accepted, stats.completed, stats.panicked), (5, 5, 0));
        drop(pool);
        let reports: Vec<_> = reports.iter().collect();
        assert_eq!(reports, vec![Some("around".to_owned()); 5]);
    }
}

#[test]
fn context_cannot_swallow_the_panic_of_its_task() {
    let (pool, _reports) = hostile(|run| {
        let _ = catch_unwind(AssertUnwindSafe(run));
    });
    let closure = pool.submit_with_handle(|| panic!("the task")).unwrap();
    let future = pool
        .spawn_with_handle(async { panic!("the task") })
        .unwrap();
    for handle in [closure, future] {
        let Err(JoinError::Panicked(panic)) = handle.wait() else {
            panic!("the panic is lost");
        };
        assert_eq!(panic.message(), Some("the task"));
    }
}

#[test]
fn context_is_left_after_a_panic_of_the_task() {
    let pool = builder().build().unwrap();
    REQUEST.set(8);
    let inner = pool.clone();
    let outer = pool.submit_with_handle(move || {
        REQUEST.set(9);
        let fails = inner.submit_with_handle(|| panic!("on purpose")).unwrap();
        REQUEST.set(10);
        (fails.wait().is_err(), request())
    });
    REQUEST.set(0);
    assert_eq!(outer.unwrap().wait().unwrap(), (true, 10));
}
