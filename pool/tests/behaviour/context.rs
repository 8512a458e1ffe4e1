//! Context that tasks take from their submitters.

use std::cell::Cell;
use std::sync::mpsc;

use anthill::{Balance, Builder, Pool};

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
