//! `chat-demo`: serves, loads a server, or makes a token.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use chat_demo::cli::{Cli, Command};
use chat_demo::config::{Config, LogFormat};
use chat_demo::console;
use chat_demo::error::ServeError;
use chat_demo::server::{Server, raise_open_files};
use chat_demo::signals::Ending;
use chat_demo::{issue, load};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Load(args)) => load::run(&args).map_err(|error| error.to_string()),
        Some(Command::Token(args)) => issue::run(&args)
            .map_err(|error| error.to_string())
            .and_then(|token| {
                let printed = console::print(format_args!("{token}\n"));
                printed.map_err(|error| format!("cannot write the token: {error}"))
            })
            .map(|()| ExitCode::SUCCESS),
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
        console::note(format_args!("chat-demo: {error}"));
        ExitCode::FAILURE
    })
}

fn serve(config: Config) -> Result<(), ServeError> {
    log(config.log_format);
    // Before anybody reads that there is a server to be ended.
    let ending = Ending::listen()?;
    raise_open_files(config.max_connections);
    let server = Server::start(config)?;
    ending.wait();
    server.drain()
}

/// Lets log lines go to standard output, as many as `RUST_LOG` asks for.
fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // A line that cannot be written is lost. To say so on standard error panics if that cannot be written, either.
        .log_internal_errors(false)
        .with_ansi(io::stdout().is_terminal());
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
