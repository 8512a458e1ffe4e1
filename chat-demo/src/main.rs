//! `chat-demo`: serves, loads a server, or makes a token.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod signals;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use chat_demo_load::{self as load, console};
use chat_demo_server::config::{Config, LogFormat};
use chat_demo_server::error::ServeError;
use chat_demo_server::issue;
use chat_demo_server::server::{Server, raise_open_files};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tracing_subscriber::EnvFilter;

use self::cli::{Cli, Command};
use self::signals::Ending;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Load(mut args)) => make_room(&mut args)
            .map_err(|error| format!("the server does not take its options: {error}"))
            .and_then(|()| load::run(&args).map_err(|error| error.to_string())),
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

/// Lets a server that the load generator starts accept all its connections, unless an option of the server limits them.
fn make_room(args: &mut load::Args) -> Result<(), clap::Error> {
    if !args.serve.serve {
        return Ok(());
    }
    let options = Config::augment_args(clap::Command::new("chat-demo").no_binary_name(true));
    let matches = options.try_get_matches_from(&args.serve.options)?;
    if Config::from_arg_matches(&matches)?.max_connections < args.connections {
        // An option takes precedence over its environment variable.
        let connections = args.connections.to_string();
        args.serve
            .environment
            .push(("CHAT_MAX_CONNECTIONS", connections));
    }
    Ok(())
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
