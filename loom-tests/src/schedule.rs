//! Prints the schedule in which a model failed: which thread ran, and where it stopped.
//!
//! loom reports each switch of threads as an event of [`tracing`], still on the stack of the thread
//! that stops. A subscriber keeps a backtrace for each switch of the present execution, and a panic
//! hook prints them.

use std::backtrace::Backtrace;
use std::fmt::{self, Write as _};
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The target and the start of the message of the event of a switch.
const TARGET: &str = "loom::rt::execution";
const SWITCH: &str = "~~~~~~~~ THREAD ";
/// The name of the span of an execution.
const EXECUTION: &str = "iter";
/// The most lines that tell where a thread stopped.
const DEPTH: usize = 4;

/// Calls `explore`, and prints the schedule of the execution in which it panics.
pub(crate) fn printed(explore: impl FnOnce()) {
    let schedule = Schedule::default();
    let printed = schedule.clone();
    let hook = panic::take_hook();
    let once = Once::new();
    panic::set_hook(Box::new(move |info| {
        // loom unwinds the other threads of the model, which panic too.
        once.call_once(|| printed.print());
        hook(info);
    }));
    tracing::subscriber::with_default(schedule, explore);
}

/// The switches of the present execution.
#[derive(Clone, Default)]
struct Schedule(Arc<Mutex<Vec<Switch>>>);

struct Switch {
    /// The number of the thread that goes on.
    next: String,
    /// Where the thread before it stopped.
    stopped: Backtrace,
}

impl Schedule {
    fn switches(&self) -> MutexGuard<'_, Vec<Switch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self) {
        let mut thread = "0".to_owned();
        println!("schedule:");
        for Switch { next, stopped } in self.switches().drain(..) {
            println!("  thread {thread} {}", place(&stopped.to_string()));
            thread = next;
        }
        println!(
            "  thread {thread} {}",
            place(&Backtrace::force_capture().to_string())
        );
    }
}

impl Subscriber for Schedule {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() || (metadata.target() == TARGET && *metadata.level() == Level::INFO)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if span.metadata().name() == EXECUTION {
            self.switches().clear();
        }
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        if let Some(rest) = text.0.strip_prefix(SWITCH) {
            let next = rest.chars().take_while(char::is_ascii_digit).collect();
            let stopped = Backtrace::force_capture();
            self.switches().push(Switch { next, stopped });
        }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message of an event.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// The innermost lines of the pool or of the model in a backtrace, each with what calls it.
fn place(backtrace: &str) -> String {
    let mut lines = Vec::new();
    for line in backtrace.lines() {
        let Some(path) = line.trim().strip_prefix("at ") else {
            continue;
        };
        let begin = path
            .find("pool/src/")
            .or_else(|| path.find("tests/models/"));
        let Some(begin) = begin.filter(|_| !path.contains("pool/src/sync/")) else {
            continue;
        };
        // Without the column.
        let line = path[begin..]
            .rsplit_once(':')
            .map_or(path, |(line, _)| line);
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.truncate(DEPTH);
    if lines.is_empty() {
        return "ends".to_owned();
    }
    format!("stops at {}", lines.join(" < "))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn place_is_lines_of_the_pool_and_the_model() {
        let backtrace = "   0: loom::rt::branch\n             at /home/x/loom-0.7/src/rt/mod.rs:5:1\n   \
            1: anthill::sync::fence\n             at ./pool/src/sync/model.rs:10:5\n   \
            2: anthill::wait::park\n             at ./pool/src/wait/mod.rs:20:9\n   \
            3: models::waiting::a\n             at ./loom-tests/tests/models/waiting.rs:7:2\n";
        assert_eq!(
            place(backtrace),
            "stops at pool/src/wait/mod.rs:20 < tests/models/waiting.rs:7"
        );
        assert_eq!(
            place("   0: std::rt\n             at /rustc/rt.rs:1:1\n"),
            "ends"
        );
    }
}
