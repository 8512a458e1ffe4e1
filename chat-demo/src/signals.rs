//! The signals that end a server.

use std::fs;
use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// What a shell adds to the number of the signal that ended a program.
const ENDED_BY_SIGNAL: i32 = 128;
/// Signals that come together are one wish: a terminal that is closed sends several, and so does
/// `timeout`.
const TOGETHER: Duration = Duration::from_millis(500);

/// Waits for the signal to end: SIGTERM, Ctrl-C, or SIGHUP, unless that is ignored, as under
/// `nohup`.
#[derive(Debug)]
pub(crate) struct Ending(Receiver<()>);

impl Ending {
    /// Listens from now on. After the first signal, a SIGTERM or Ctrl-C ends the process at once,
    /// unless it comes together with the first.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut wanted = vec![SIGTERM, SIGINT];
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let mut signals = Signals::new(wanted)?;
        let (first, told) = mpsc::channel();
        let listening = move || {
            let mut begun: Option<Instant> = None;
            for signal in signals.forever() {
                let begun = begun.get_or_insert_with(Instant::now);
                // Nobody may wait for it any more.
                let _ = first.send(());
                if signal != SIGHUP && begun.elapsed() >= TOGETHER {
                    low_level::exit(ENDED_BY_SIGNAL + signal);
                }
            }
        };
        thread::Builder::new()
            .name("chat-signals".to_owned())
            .spawn(listening)?;
        Ok(Self(told))
    }

    /// Returns after the first signal.
    pub(crate) fn wait(&self) {
        // Signals are listened to until the process ends.
        let _ = self.0.recv();
    }
}

/// Whether the process was started with a signal ignored. Where the system does not tell, it is
/// not.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
