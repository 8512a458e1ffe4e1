//! A span for each task. `tracing` caches in the process which spans are enabled, so these tests
//! need processes to themselves.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anthill::Pool;
use tracing::{info, info_span};
use tracing_subscriber::fmt::MakeWriter;

use crate::child::in_own_process;

/// A log that the test reads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Returns the sorted lines of the log after `f` and its pool. A future may overtake a closure.
fn logged(f: impl FnOnce(&Pool)) -> Vec<String> {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(log.clone())
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .without_time()
        .finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let on_thread = dispatch.clone();
    // Each worker logs to the log of this test until it exits.
    let start = move |_| std::mem::forget(tracing::dispatcher::set_default(&on_thread));
    let builder = Pool::builder().name("jobs").threads(0..=1);
    let pool = builder.on_thread_start(start).build().unwrap();
    tracing::dispatcher::with_default(&dispatch, || f(&pool));
    pool.shutdown().wait().unwrap();
    let bytes = log.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn span_of_a_task_is_a_child_of_the_submitter_span() {
    in_own_process(
        "spans::span_of_a_task_is_a_child_of_the_submitter_span",
        || {
            let lines = logged(|pool| {
                let _request = info_span!("request", id = 7).entered();
                pool.submit(|| info!("in a closure")).unwrap();
                pool.spawn(async { info!("in a future") }).unwrap();
                pool.strand().submit(|| info!("in a strand")).unwrap();
            });
            assert_eq!(
                lines,
                [
                    r#"request{id=7}:task{pool="jobs"}: in a closure"#,
                    r#"request{id=7}:task{pool="jobs"}: in a future"#,
                    r#"request{id=7}:task{pool="jobs"}: in a strand"#,
                ]
            );
        },
    );
}

#[test]
fn span_has_the_name_of_the_task() {
    in_own_process("spans::span_has_the_name_of_the_task", || {
        let lines = logged(|pool| {
            let slot = || pool.slot().wait().unwrap();
            slot().named("resize").submit(|| info!("one"));
            slot().named("upload").spawn(async { info!("two") });
        });
        assert_eq!(
            lines,
            [
                r#"task{pool="jobs" task="resize"}: one"#,
                r#"task{pool="jobs" task="upload"}: two"#,
            ]
        );
    });
}

#[test]
fn context_hook_that_submits_takes_no_name() {
    in_own_process("spans::context_hook_that_submits_takes_no_name", || {
        let lines = logged(|pool| {
            let other = pool.clone();
            let hooked = Pool::builder().context(move || {
                other.submit(|| info!("of the hook")).unwrap();
                |run: &mut dyn FnMut()| run()
            });
            let hooked = hooked.name("hooked").threads(0..=1);
            let hooked = hooked.panic_handler(|_| ()).build().unwrap();
            let slot = hooked.slot().wait().unwrap().named("resize");
            slot.submit_with_handle(|| ()).wait().unwrap();
            hooked.shutdown().wait().unwrap();
        });
        assert_eq!(lines, [r#"task{pool="jobs"}: of the hook"#]);
    });
}

#[test]
fn expired_task_is_logged_in_its_span() {
    in_own_process("spans::expired_task_is_logged_in_its_span", || {
        let lines = logged(|pool| {
            let late = |name| {
                pool.slot()
                    .wait()
                    .unwrap()
                    .named(name)
                    .expires_at(Instant::now())
            };
            late("a").submit(|| ());
            late("b").spawn(async {});
            drop(late("c").submit_with_handle(|| ()));
            drop(late("d").spawn_with_handle(async {}));
        });
        let expected = ["a", "b", "c", "d"].map(|name| {
            format!(r#"task{{pool="jobs" task="{name}"}}: the task expired before it began"#)
        });
        assert_eq!(lines, expected);
    });
}

#[test]
fn panic_without_a_handler_is_logged() {
    in_own_process("spans::panic_without_a_handler_is_logged", || {
        let lines = logged(|pool| {
            let fail = || std::panic::resume_unwind(Box::new("out of paper"));
            pool.slot().wait().unwrap().named("print").submit(fail);
        });
        assert_eq!(
            lines,
            ["task `print` of pool `jobs` panicked: out of paper"]
        );
    });
}
