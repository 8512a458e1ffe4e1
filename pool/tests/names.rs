//! Tasks with names: in the panic handler, in a handle's error, and in what a shutdown finds unfinished.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use anthill::{JoinError, Pool, ShutdownError, named, named_future};
use support::{Gate, eventually, pool};

fn fail() {
    std::panic::resume_unwind(Box::new("it failed"));
}

/// What the panic handler is told of what `submit` submits.
fn told(submit: impl FnOnce(&Pool)) -> (Option<String>, Option<String>) {
    let (said, heard) = mpsc::channel();
    let builder = Pool::builder().panic_handler(move |panic| {
        let own = |text: Option<&str>| text.map(str::to_owned);
        said.send((own(panic.task()), own(panic.message())))
            .unwrap();
    });
    let pool = builder.build().unwrap();
    submit(&pool);
    heard.recv().unwrap()
}

#[test]
fn the_handler_is_told_the_name_and_the_payload_is_what_it_was() {
    let message = Some("it failed".to_owned());
    assert_eq!(
        told(|pool| pool.submit(fail).unwrap()),
        (None, message.clone())
    );
    assert_eq!(
        told(|pool| pool.submit(named("closure", fail)).unwrap()),
        (Some("closure".into()), message.clone())
    );
    assert_eq!(
        told(|pool| pool
            .spawn(named_future("future", async { fail() }))
            .unwrap()),
        (Some("future".into()), message.clone())
    );
    assert_eq!(
        told(|pool| pool.strand().submit(named("strand", fail)).unwrap()),
        (Some("strand".into()), message.clone())
    );
    let nested = named("outer", named("inner", fail));
    assert_eq!(
        told(|pool| pool.submit(nested).unwrap()),
        (Some("inner".into()), message)
    );
}

#[test]
fn a_handle_is_told_the_name() {
    let pool = pool(2, 1);
    let task = pool.submit_with_handle(named("sum", fail)).unwrap();
    let Err(JoinError::Panicked(panic)) = task.join() else {
        panic!("it panicked");
    };
    assert_eq!(panic.task(), Some("sum"));
    assert_eq!(panic.pool(), "anthill");
    assert_eq!(
        panic.to_string(),
        "task `sum` of pool `anthill` panicked: it failed"
    );
    assert_eq!(
        *panic.into_payload().downcast::<&str>().unwrap(),
        "it failed"
    );
}

#[test]
fn outside_a_pool_a_named_closure_is_the_closure() {
    assert_eq!(named("five", || 5)(), 5);
    let payload = std::panic::catch_unwind(named("outside", fail)).unwrap_err();
    assert!(payload.is::<&str>());
}

#[test]
fn a_shutdown_that_ends_early_names_what_has_begun() {
    let pool = pool(8, 1);
    let (gate, begun) = (Gate::new(), mpsc::channel());
    // Suspended for good, until its sender is gone.
    let (resume, resumed) = mpsc::channel();
    let mut waker = Some(resume);
    let suspended = std::future::poll_fn(move |cx| {
        waker.take().map_or(std::task::Poll::Ready(()), |resume| {
            resume.send(cx.waker().clone()).unwrap();
            std::task::Poll::Pending
        })
    });
    pool.spawn(named_future("upload", suspended)).unwrap();
    let waker = resumed.recv().unwrap();
    let (said, wait) = (begun.0, gate.clone());
    pool.submit(named("backup", move || {
        said.send(()).unwrap();
        wait.wait();
    }))
    .unwrap();
    begun.1.recv().unwrap();
    pool.submit(named("not begun", || ())).unwrap();

    let Err(ShutdownError::Timeout(left)) = pool.shutdown_timeout(Duration::ZERO) else {
        panic!("two tasks are still there");
    };
    assert_eq!(left.tasks, ["upload", "backup"]);
    assert_eq!(
        left.to_string(),
        "3 tasks in flight, 1 running: `upload`, `backup`"
    );
    waker.wake();
    gate.open();
    pool.shutdown().unwrap();
    eventually(|| pool.stats().completed == 3);
}

#[test]
fn a_name_is_gone_with_its_task_however_that_ends() {
    let pool = pool(8, 1);
    let gate = Gate::new();
    pool.submit(named("returns", || ())).unwrap();
    pool.submit(named("panics", fail)).unwrap();
    pool.spawn(named_future("panics too", async { fail() }))
        .unwrap();
    pool.submit(named("stays", gate.waiter())).unwrap();
    eventually(|| pool.stats().in_flight == 1);
    let Err(ShutdownError::Timeout(left)) = pool.shutdown_timeout(Duration::from_millis(1)) else {
        panic!("one task is still there");
    };
    // It may not have begun yet.
    assert!(left.tasks.iter().all(|name| name == "stays"));
    gate.open();
    pool.shutdown().unwrap();
}
