//! The signals that end a server.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use chat_demo_load::is_ignored;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Added to the number of a signal in an exit code.
const ENDED_BY_SIGNAL: i32 = 128;
/// Signals within this time count as one: a closed terminal and `timeout` send several.
const TOGETHER: Duration = Duration::from_millis(500);

/// Waits for SIGTERM, Ctrl-C, or SIGHUP, unless the process ignores SIGHUP, as under `nohup`.
#[derive(Debug)]
pub(crate) struct Ending(Receiver<()>);

impl Ending {
    /// Installs the handlers. After the first signal, a SIGTERM or Ctrl-C ends the process at once,
    /// unless it counts as one with the first.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut wanted = vec![SIGTERM, SIGINT];
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let mut signals = Signals::new(wanted)?;
        let (first, receiver) = mpsc::channel();
        let listening = move || {
            let mut begun: Option<Instant> = None;
            for signal in signals.forever() {
                let begun = begun.get_or_insert_with(Instant::now);
                // Ignore an error: the receiver may have been dropped.
                let _ = first.send(());
                if signal != SIGHUP && begun.elapsed() >= TOGETHER {
                    low_level::exit(ENDED_BY_SIGNAL + signal);
                }
            }
        };
        thread::Builder::new()
            .name("chat-signals".to_owned())
            .spawn(listening)?;
        Ok(Self(receiver))
    }

    /// Returns after the first signal.
    pub(crate) fn wait(&self) {
        // Ignore an error: the sender lives until the process ends.
        let _ = self.0.recv();
    }
}
