//! A server of the load generator's own: this program once more, started for the run and ended with it.

use std::{
    collections::VecDeque,
    env, io,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parking_lot::Mutex;
use serde::Deserialize;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use super::report::Report;
use crate::console;

/// How long it may take to listen. A journal is read before that.
const START_TIME: Duration = Duration::from_secs(60);
/// How many of its last lines are kept, for when it ends too early.
const LAST_WORDS: usize = 20;

/// Whether the load generator starts the server that it loads.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Start a server for the run, with the options behind --, and end it afterwards
    #[arg(long, conflicts_with = "target")]
    pub serve: bool,
    /// Say how to take a flame graph of it
    #[arg(long, requires = "serve")]
    pub profile: bool,
    /// Options of the server
    #[arg(last = true, value_name = "SERVER OPTIONS", requires = "serve")]
    pub options: Vec<String>,
    /// Environment variables that the program adds to its own for the server.
    #[arg(skip)]
    pub environment: Vec<(&'static str, String)>,
}

impl ServeArgs {
    /// Starts the server, if one is asked for.
    pub(super) async fn start(&self) -> Result<Option<Server>, ServeError> {
        if !self.serve {
            return Ok(None);
        }
        let server = Server::start(self).await?;
        console::note(format_args!(
            "serving: {}, process {}",
            server.url,
            server.id()
        ));
        if self.profile {
            console::note(server.how_to_profile());
        }
        Ok(Some(server))
    }
}

/// A server that runs until it is ended, or killed when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    url: String,
    words: Words,
    listeners: [JoinHandle<()>; 2],
}

/// Why there is no server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It could not be started.
    #[error("cannot start a server: {0}")]
    Start(#[source] io::Error),
    /// It ended before it listened.
    #[error("the server did not start ({status}): {words}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        words: String,
    },
    /// It does not say that it listens.
    #[error("the server does not listen after {} s: {words}", START_TIME.as_secs())]
    Silent {
        /// Its last lines.
        words: String,
    },
    /// It was not well at its end.
    #[error("the server ended badly ({status}): {words}")]
    Bad {
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        words: String,
    },
    /// The system told nothing of its end.
    #[error("cannot end the server: {0}")]
    End(#[source] io::Error),
}

/// The line of the log that tells where it listens.
#[derive(Deserialize)]
struct Listening {
    message: String,
    url: String,
}

impl Server {
    /// Starts a server, and waits until it listens.
    async fn start(args: &ServeArgs) -> Result<Self, ServeError> {
        let mut command = Command::new(env::current_exe().map_err(ServeError::Start)?);
        command
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(&args.options)
            // The line that is waited for must not be filtered out.
            .env("RUST_LOG", "info")
            .envs(args.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // An interrupt from the terminal ends the run, and that ends the server.
            .process_group(0)
            .kill_on_drop(true);
        let mut process = command.spawn().map_err(ServeError::Start)?;
        let output = process.stdout.take().expect("it is piped");
        let errors = process.stderr.take().expect("it is piped");
        let words = Words::default();
        let errors = tokio::spawn(words.clone().hear(BufReader::new(errors).lines()));
        let mut output = BufReader::new(output).lines();
        let heard = timeout(START_TIME, words.wait_for_url(&mut output)).await;
        match heard {
            Ok(Some(url)) => {
                let output = tokio::spawn(words.clone().hear(output));
                Ok(Self {
                    process,
                    url,
                    words,
                    listeners: [output, errors],
                })
            }
            Ok(None) => {
                let status = process.wait().await.map_err(ServeError::Start)?;
                let _ = errors.await;
                let words = words.text();
                Err(ServeError::Ended { status, words })
            }
            Err(_) => Err(ServeError::Silent {
                words: words.text(),
            }),
        }
    }

    /// Where clients connect to.
    pub(super) fn target(&self) -> String {
        // `http` becomes `ws`, and `https` becomes `wss`.
        format!("{}/ws", self.url.replacen("http", "ws", 1))
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.process.id().expect("it has not been waited for")
    }

    /// The commands that make a flame graph of it while it is under load.
    fn how_to_profile(&self) -> String {
        let id = self.id();
        format!(
            "for a flame graph, in another terminal while messages are published:\n  \
             perf record -F 99 --call-graph dwarf,16384 -p {id} -o perf.data -- sleep 10\n  \
             perf script -i perf.data | inferno-collapse-perf | inferno-flamegraph > flame.svg"
        )
    }

    /// Ends it; a bad end is an error of the run.
    pub(super) async fn end_into(self, report: &mut Report) {
        if let Err(error) = self.end().await {
            report.errors += 1;
            *report.error_kinds.entry(error.to_string()).or_default() += 1;
        }
    }

    /// Asks it to end and waits for that.
    async fn end(mut self) -> Result<(), ServeError> {
        let id = self.id().try_into().expect("ids of processes are small");
        // It may have ended on its own; then its status says why.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        let status = self.process.wait().await.map_err(ServeError::End)?;
        for listener in self.listeners {
            let _ = listener.await;
        }
        if status.success() {
            return Ok(());
        }
        let words = self.words.text();
        Err(ServeError::Bad { status, words })
    }
}

/// The last lines that the server said.
#[derive(Clone, Debug, Default)]
struct Words(Arc<Mutex<VecDeque<String>>>);

impl Words {
    /// Reads until it says where it listens; nothing when it ends before.
    async fn wait_for_url(&self, lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str::<Listening>(&line) {
                Ok(Listening { message, url }) if message == "listening" => return Some(url),
                _ => self.add(line),
            }
        }
        None
    }

    /// Reads to the end: a pipe that nobody reads fills up and holds the server.
    async fn hear<R: AsyncRead + Unpin>(self, mut lines: Lines<BufReader<R>>) {
        while let Ok(Some(line)) = lines.next_line().await {
            self.add(line);
        }
    }

    fn add(&self, line: String) {
        let mut words = self.0.lock();
        if words.len() == LAST_WORDS {
            words.pop_front();
        }
        words.push_back(line);
    }

    fn text(&self) -> String {
        let words = self.0.lock();
        let lines: Vec<_> = words.iter().map(String::as_str).collect();
        if lines.is_empty() {
            "without a word".to_owned()
        } else {
            lines.join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_few() {
        let words = Words::default();
        assert_eq!(words.text(), "without a word");
        (0..99).for_each(|n| words.add(n.to_string()));
        assert_eq!(words.text().lines().count(), LAST_WORDS);
        assert!(words.text().ends_with("97\n98"), "{}", words.text());
    }
}
