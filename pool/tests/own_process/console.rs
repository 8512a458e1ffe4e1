//! The spans and events that tokio-console reads. `tracing` caches in the process which spans are
//! enabled, so these tests need processes to themselves.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::child::in_own_process;
use crate::support::pool;

/// A span as `console-subscriber` sees it.
#[derive(Clone, Debug, Default)]
struct Task {
    fields: HashMap<String, String>,
    is_root: bool,
    polls: usize,
    /// The uses of its wakers.
    ops: Vec<String>,
    closed: bool,
}

/// Records what `console-subscriber` records: spans named `runtime.spawn`, and events of the target
/// `runtime::waker`.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    spans: u64,
    by_id: HashMap<u64, Task>,
}

struct Fields<'a>(&'a mut HashMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Console {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut tasks = self.0.lock().unwrap();
        tasks.spans += 1;
        let id = tasks.spans;
        if attributes.metadata().name() == "runtime.spawn" {
            let mut task = Task {
                is_root: attributes.is_root(),
                ..Task::default()
            };
            attributes.record(&mut Fields(&mut task.fields));
            tasks.by_id.insert(id, task);
        }
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() != "runtime::waker" {
            return;
        }
        let mut fields = HashMap::new();
        event.record(&mut Fields(&mut fields));
        let id: u64 = fields["task.id"].parse().unwrap();
        let mut tasks = self.0.lock().unwrap();
        let task = tasks.by_id.get_mut(&id).expect("the event is of a task");
        task.ops.push(fields["op"].clone());
    }

    fn enter(&self, id: &Id) {
        if let Some(task) = self.0.lock().unwrap().by_id.get_mut(&id.into_u64()) {
            task.polls += 1;
        }
    }

    fn exit(&self, _: &Id) {}

    fn try_close(&self, id: Id) -> bool {
        if let Some(task) = self.0.lock().unwrap().by_id.get_mut(&id.into_u64()) {
            task.closed = true;
        }
        true
    }
}

/// Installs a console for the process.
fn console() -> Console {
    let console = Console::default();
    tracing::subscriber::set_global_default(console.clone()).unwrap();
    console
}

impl Console {
    /// Returns the tasks of a pool that has ended, in the order of their submit.
    fn tasks(&self) -> Vec<Task> {
        let tasks = self.0.lock().unwrap();
        let mut spans: Vec<_> = tasks.by_id.iter().collect();
        spans.sort_by_key(|(id, _)| **id);
        spans.into_iter().map(|(_, task)| task.clone()).collect()
    }
}

#[test]
fn console_sees_kind_name_and_polls_of_a_task() {
    in_own_process(
        "console::console_sees_kind_name_and_polls_of_a_task",
        || {
            let console = console();
            let pool = pool(8, 1);
            pool.submit(|| ()).unwrap();
            pool.spawn(async {}).unwrap();
            let slot = || pool.slot().wait().unwrap();
            slot().named("resize").submit(|| ());
            let upload = slot().named("upload").spawn_with_handle(async {});
            slot().submit(|| ());
            pool.strand().submit(|| ()).unwrap();
            pool.shutdown().wait().unwrap();
            drop(upload);

            let tasks = console.tasks();
            let shown: Vec<_> = tasks
                .iter()
                .map(|task| {
                    let field = |name| task.fields.get(name).map(String::as_str);
                    assert_eq!(field("pool"), Some(pool.name()));
                    assert!(field("task.id").is_some() && field("size.bytes").is_some());
                    assert!(task.is_root && task.closed, "{task:?}");
                    (field("kind").unwrap(), field("task.name"), task.polls)
                })
                .collect();
            assert_eq!(
                shown,
                [
                    ("blocking", None, 1),
                    ("task", None, 1),
                    ("blocking", Some("resize"), 1),
                    ("task", Some("upload"), 1),
                    ("blocking", None, 1),
                    ("blocking", None, 1),
                ]
            );
        },
    );
}

#[test]
fn console_sees_each_use_of_a_waker() {
    in_own_process("console::console_sees_each_use_of_a_waker", || {
        let console = console();
        let pool = pool(8, 1);
        let (sender, wakers) = mpsc::channel::<Waker>();
        let mut polls = 0;
        let future = poll_fn(move |cx| {
            polls += 1;
            match polls {
                1 => sender.send(cx.waker().clone()).unwrap(),
                2 => cx.waker().wake_by_ref(),
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        });
        pool.spawn(future).unwrap();
        wakers.recv().unwrap().wake();
        pool.shutdown().wait().unwrap();

        let tasks = console.tasks();
        let [task] = &tasks[..] else {
            panic!("{tasks:?}")
        };
        assert_eq!((task.polls, task.closed), (3, true));
        let count = |op| task.ops.iter().filter(|other| *other == op).count();
        assert_eq!(count("waker.wake_by_ref"), 2);
        assert_eq!(count("waker.clone"), count("waker.drop"), "{:?}", task.ops);
        assert!(count("waker.clone") >= 1);
    });
}

#[test]
fn console_keeps_no_future_that_nothing_can_wake() {
    in_own_process(
        "console::console_keeps_no_future_that_nothing_can_wake",
        || {
            let console = console();
            let pool = pool(1, 1);
            pool.spawn(std::future::pending()).unwrap();
            // Only the end of the future frees the slot.
            pool.slot().wait().unwrap().submit(|| ());
            pool.shutdown().wait().unwrap();
            assert!(console.tasks().iter().all(|task| task.closed));
        },
    );
}
