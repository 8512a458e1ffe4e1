//! `chat-demo`: serves, loads a server, or makes a token.

use std::io::{self, IsTerminal};
use std::process::{ExitCode, exit};
use std::sync::mpsc;

use chat_demo::cli::{Cli, Command};
use chat_demo::config::{Config, LogFormat};
use chat_demo::error::ServeError;
use chat_demo::server::{Server, raise_open_files};
use chat_demo::{issue, load};
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
        Some(Command::Token(args)) => issue::run(&args)
            .map(|token| {
                println!("{token}");
                ExitCode::SUCCESS
            })
            .map_err(|error| error.to_string()),
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
    log(config.log_format);
    raise_open_files(config.max_connections);
    let server = Server::start(config)?;
    let (told, end) = mpsc::channel();
    let listening = server.spawn(listen_for_signals(told));
    if end.recv().is_err() {
        listening.join().map_err(io::Error::other)??;
    }
    server.drain()
}

/// Lets log lines go to standard output, as many as `RUST_LOG` asks for.
fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stdout().is_terminal());
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// Tells the first SIGTERM or Ctrl-C; the second ends the process at once.
async fn listen_for_signals(told: mpsc::Sender<()>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    next().await;
    // Heard for as long as the server is there, and so is this task.
    let _ = told.send(());
    exit(ENDED_BY_SIGNAL + next().await.as_raw_value())
}
