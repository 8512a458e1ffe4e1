//! How far a phase of the run is: a bar on a terminal, now and then a line elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(5);

/// One phase.
#[derive(Debug)]
pub(super) struct Progress {
    name: &'static str,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// A phase that begins now.
    pub(super) fn new(name: &'static str) -> Self {
        let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {pos}/{len} {msg}");
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0).with_prefix(name);
            bar.set_style(style.expect("the template is a constant"));
            bar
        });
        Self {
            name,
            bar,
            told: Instant::now(),
        }
    }

    /// The phase has come to `done` of `all`.
    pub(super) fn set(&mut self, done: u64, all: u64, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(note.to_owned());
        } else if self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            console::note(format_args!("{}: {done}/{all} {note}", self.name));
        }
    }

    /// The phase is over.
    pub(super) fn end(self, summary: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        console::note(format_args!("{}: {summary}", self.name));
    }
}
