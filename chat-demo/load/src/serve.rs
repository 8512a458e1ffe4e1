//! A server for the run: a second process of this program, ended with the run.

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

/// How long the server may take to listen. It reads its data file first.
const START_TIME: Duration = Duration::from_secs(60);
/// The last lines of its output to keep for an error.
const LAST_WORDS: usize = 20;

/// Options of a server that the load generator starts.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Start a server for the run with the options after --, and end it afterwards
    #[arg(long, conflicts_with = "target")]
    pub serve: bool,
    /// Print the commands that make a flame graph of the server
    #[arg(long, requires = "serve")]
    pub profile: bool,
    /// Options of the server
    #[arg(last = true, value_name = "SERVER OPTIONS", requires = "serve")]
    pub options: Vec<String>,
    /// Environment variables to add for the server.
    #[arg(skip)]
    pub environment: Vec<(&'static str, String)>,
}

impl ServeArgs {
    /// Starts the server if `--serve` was given.
    pub(super) async fn start(&self) -> Result<Option<Server>, ServeError> {
        if !self.serve {
            return Ok(None);
        }
        let server = Server::start(self).await?;
        let (url, id) = (&server.url, server.id());
        console::note(format_args!("serving: {url}, process {id}"));
        if self.profile {
            console::note(server.how_to_profile());
        }
        Ok(Some(server))
    }
}

/// A running server. Dropping this kills it.
pub(super) struct Server {
    process: Child,
    url: String,
    words: Words,
    listeners: [JoinHandle<()>; 2],
}

/// Why the server did not start or end, with its exit status and the last lines of its output.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The process could not be started.
    #[error("cannot start the server: {0}")]
    Start(#[source] io::Error),
    /// The server exited before it listened.
    #[error("the server exited during start ({0}): {1}")]
    Ended(ExitStatus, String),
    /// The server does not listen in time.
    #[error("the server does not listen after {time} s: {0}", time = START_TIME.as_secs())]
    Silent(String),
    /// The server exited with an error.
    #[error("the server exited with an error ({0}): {1}")]
    Bad(ExitStatus, String),
    /// The exit status could not be read.
    #[error("cannot end the server: {0}")]
    End(#[source] io::Error),
}

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
            // Keep the log line with the address.
            .env("RUST_LOG", "info")
            .envs(args.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal must not end the server before the run.
            .process_group(0)
            .kill_on_drop(true);
        let mut process = command.spawn().map_err(ServeError::Start)?;
        let output = process.stdout.take().expect("it is piped");
        let errors = process.stderr.take().expect("it is piped");
        let words = Words::default();
        let errors = tokio::spawn(words.clone().drain(BufReader::new(errors).lines()));
        let mut output = BufReader::new(output).lines();
        let started = timeout(START_TIME, words.wait_for_url(&mut output)).await;
        match started {
            Ok(Some(url)) => {
                let output = tokio::spawn(words.clone().drain(output));
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
                Err(ServeError::Ended(status, words.text()))
            }
            Err(_) => Err(ServeError::Silent(words.text())),
        }
    }

    pub(super) fn target(&self) -> String {
        // `http` becomes `ws`, and `https` becomes `wss`.
        format!("{}/ws", self.url.replacen("http", "ws", 1))
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id().expect("it has not been waited for")
    }

    /// Returns the commands that make a flame graph of the server under load.
    fn how_to_profile(&self) -> String {
        let id = self.id();
        format!(
            "for a flame graph, in another terminal while messages are published:\n  \
             perf record -F 99 --call-graph dwarf,16384 -p {id} -o perf.data -- sleep 10\n  \
             perf script -i perf.data | inferno-collapse-perf | inferno-flamegraph > flame.svg"
        )
    }

    /// Ends the server, and adds a failure to the report.
    pub(super) async fn end_into(self, report: &mut Report) {
        if let Err(error) = self.end().await {
            report.errors += 1;
            *report.error_kinds.entry(error.to_string()).or_default() += 1;
        }
    }

    /// Sends SIGTERM and waits until the server has exited.
    async fn end(mut self) -> Result<(), ServeError> {
        let id = self.id().try_into().expect("ids of processes are small");
        // Ignore errors: if the server has exited already, its status says why.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        let status = self.process.wait().await.map_err(ServeError::End)?;
        for listener in self.listeners {
            let _ = listener.await;
        }
        if status.success() {
            return Ok(());
        }
        Err(ServeError::Bad(status, self.words.text()))
    }
}

/// The last lines of the server's output.
#[derive(Clone, Debug, Default)]
struct Words(Arc<Mutex<VecDeque<String>>>);

impl Words {
    /// Reads until the line with the address; `None` at the end of the output.
    async fn wait_for_url(&self, lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str::<Listening>(&line) {
                Ok(Listening { message, url }) if message == "listening" => return Some(url),
                _ => self.add(line),
            }
        }
        None
    }

    /// Reads to the end: a full pipe would block the server.
    async fn drain<R: AsyncRead + Unpin>(self, mut lines: Lines<BufReader<R>>) {
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
        let mut words = self.0.lock();
        if words.is_empty() {
            return "no output".to_owned();
        }
        words.make_contiguous().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_few() {
        let words = Words::default();
        assert_eq!(words.text(), "no output");
        (0..99).for_each(|n| words.add(n.to_string()));
        assert_eq!(words.text().lines().count(), LAST_WORDS);
        assert!(words.text().ends_with("97\n98"), "{}", words.text());
    }
}
