//! `chat-demo`: serves, or loads a server.

use std::future::{Future, pending};
use std::io::{self, IsTerminal};
use std::mem;
use std::process::{ExitCode, exit};

use chat_demo::cli::{Cli, Command};
use chat_demo::config::Config;
use chat_demo::error::ServeError;
use chat_demo::{load, server};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What a shell adds to the number of the signal that ended a program.
const ENDED_BY_SIGNAL: i32 = 128;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Load(args)) => load::run(&args).map_err(|error| error.to_string()),
        None => {
            if let Err(error) = cli.config.check() {
                Cli::command()
                    .error(ErrorKind::ValueValidation, error)
                    .exit();
            }
            serve(cli.config)
                .map(|()| ExitCode::SUCCESS)
                .map_err(|error| error.to_string())
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("chat-demo: {error}");
        ExitCode::FAILURE
    })
}

fn serve(config: Config) -> Result<(), ServeError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stdout().is_terminal())
        .init();
    server::raise_open_files(config.max_connections);
    // One thread waits for the system; the work is the pool's.
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = reactor.block_on(async {
        let shutdown = on_signal()?;
        let listener = server::bind(config.listen)?;
        server::run(listener, config, shutdown).await
    });
    // What still runs at the drain's deadline needs its reactor for as long as the process lives.
    mem::forget(reactor);
    ended
}

/// Ready at the first SIGTERM or Ctrl-C; the second ends the process at once.
fn on_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, shutdown) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => SignalKind::terminate(),
                _ = interrupt.recv() => SignalKind::interrupt(),
            }
        };
        next().await;
        if first.send(()).is_ok() {
            exit(ENDED_BY_SIGNAL + next().await.as_raw_value());
        }
    });
    Ok(async {
        if shutdown.await.is_err() {
            pending::<()>().await;
        }
    })
}
