//! Names of tasks appear in the panic handler, in errors of handles and in the error of a shutdown.

use std::sync::mpsc;
use std::time::Duration;

use anthill::{JoinError, Pool, ShutdownError, Slot};

use crate::support::{Gate, eventually, pool};

/// A call that uses a slot.
type Submit = fn(Slot<'_>);

fn fail() {
    std::panic::resume_unwind(Box::new("it failed"));
}

/// Returns the name and the message that the panic handler gets for a task that `submit` submits.
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
fn handler_gets_the_name_and_the_message_of_a_panic() {
    let message = Some("it failed".to_owned());
    assert_eq!(
        told(|pool| pool.submit(fail).unwrap()),
        (None, message.clone())
    );
    let submits: [(&str, Submit); 3] = [
        ("closure", |slot| slot.submit(fail)),
        ("future", |slot| slot.spawn(async { fail() })),
        ("owned", |slot| slot.into_owned().submit(fail)),
    ];
    for (name, submit) in submits {
        let expected = (Some(name.to_owned()), message.clone());
        let named = |pool: &Pool| submit(pool.try_slot().unwrap().named(name));
        assert_eq!(told(named), expected);
        let of_strand = |pool: &Pool| submit(pool.strand().try_slot().unwrap().named(name));
        assert_eq!(told(of_strand), expected);
    }
}

#[test]
fn last_name_of_a_slot_counts() {
    let twice = |pool: &Pool| {
        let slot = pool.try_slot().unwrap().named("first");
        slot.named("second").submit(fail);
    };
    assert_eq!(told(twice).0.as_deref(), Some("second"));
}

#[test]
fn slot_of_a_shard_names_its_task() {
    let (said, heard) = mpsc::channel();
    let builder = Pool::builder().panic_handler(move |panic| {
        said.send(panic.task().map(str::to_owned)).unwrap();
    });
    let shards = builder
        .build_multi(2, anthill::Balance::RoundRobin)
        .unwrap();
    shards.try_slot().unwrap().named("in a shard").submit(fail);
    assert_eq!(heard.recv().unwrap().as_deref(), Some("in a shard"));
}

#[test]
fn handle_has_the_name_and_the_payload_of_a_panic() {
    let pool = pool(2, 1);
    let slot = pool.try_slot().unwrap().named("sum");
    let Err(JoinError::Panicked(panic)) = slot.submit_with_handle(fail).wait() else {
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
fn handle_of_a_named_future_has_the_name() {
    let pool = pool(2, 1);
    let slot = pool.try_slot().unwrap().named("sum");
    let task = slot.spawn_with_handle(async { fail() });
    let Err(JoinError::Panicked(panic)) = task.wait() else {
        panic!("the future panicked");
    };
    assert_eq!(panic.task(), Some("sum"));
}

#[test]
fn timed_out_shutdown_names_the_running_tasks() {
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
    pool.try_slot().unwrap().named("upload").spawn(suspended);
    let waker = resumed.recv().unwrap();
    let (said, wait) = (begun.0, gate.clone());
    pool.try_slot().unwrap().named("backup").submit(move || {
        said.send(()).unwrap();
        wait.wait();
    });
    begun.1.recv().unwrap();
    pool.try_slot().unwrap().named("not begun").submit(|| ());

    let Err(ShutdownError::Timeout(left)) = pool.shutdown().wait_timeout(Duration::ZERO) else {
        panic!("two tasks are still there");
    };
    assert_eq!(left.tasks, ["upload", "backup"]);
    assert_eq!(
        left.to_string(),
        "3 tasks in flight, 1 running: `upload`, `backup`"
    );
    waker.wake();
    gate.open();
    pool.shutdown().wait().unwrap();
    eventually(|| pool.stats().completed == 3);
}

#[test]
fn name_is_removed_however_its_task_ends() {
    let pool = pool(8, 1);
    let gate = Gate::new();
    let slot = |name| pool.try_slot().unwrap().named(name);
    slot("returns").submit(|| ());
    slot("panics").submit(fail);
    slot("panics too").spawn(async { fail() });
    slot("stays").submit(gate.waiter());
    eventually(|| pool.stats().in_flight == 1);
    let Err(ShutdownError::Timeout(left)) = pool.shutdown().wait_timeout(Duration::from_millis(1))
    else {
        panic!("one task is still there");
    };
    // It may not have begun yet.
    assert!(left.tasks.iter().all(|name| name == "stays"));
    gate.open();
    pool.shutdown().wait().unwrap();
}
