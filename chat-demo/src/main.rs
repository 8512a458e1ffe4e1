//! `chat-demo`: serves, loads a server, or makes a token.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chat_demo::cli::{Cli, Command};
use chat_demo::config::{Config, LogFormat};
use chat_demo::error::ServeError;
use chat_demo::server::{Server, raise_open_files};
use chat_demo::{issue, load};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
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
    // Before anybody reads that there is a server to be ended.
    let mut signals = listen_for_signals()?;
    raise_open_files(config.max_connections);
    let server = Server::start(config)?;
    signals.forever().next();
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

/// SIGTERM and Ctrl-C, from now on; the second of them ends the process at once.
fn listen_for_signals() -> io::Result<Signals> {
    let told = Arc::new(AtomicBool::new(false));
    let signals = [SIGTERM, SIGINT];
    for signal in signals {
        // In this order, or the first would end it too.
        flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL + signal, told.clone())?;
        flag::register(signal, told.clone())?;
    }
    Signals::new(signals)
}
