//! `chat-demo`: serves, loads a server, or makes a token.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod signals;
mod variables;

use std::env::{self, VarError};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use chat_demo_load::{self as load, console};
use chat_demo_server::config::{Config, LogFormat, with_variables};
use chat_demo_server::error::ServeError;
use chat_demo_server::issue;
use chat_demo_server::server::{Server, raise_open_files};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::cli::{Cli, Command};
use self::signals::Ending;

fn main() -> ExitCode {
    let words: Vec<_> = env::args_os().collect();
    let command = with_variables(Cli::command());
    let matches = command.clone().try_get_matches_from(&words);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => variables::name(error, &command, &words).exit(),
    };
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
                refuse(&error.to_string(), command, &words);
            }
            serve(cli.config).map(|()| ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        console::note(format_args!("chat-demo: {error}"));
        ExitCode::FAILURE
    })
}

/// Ends the program because of conflicting settings.
fn refuse(error: &str, mut command: clap::Command, words: &[OsString]) -> ! {
    let mut message = error.to_owned();
    for tip in variables::tips(error, &command, words) {
        message.push_str("\n\n  tip: ");
        message.push_str(&tip);
    }
    command.error(ErrorKind::ValueValidation, message).exit()
}

/// Lets a server that the load generator starts accept all its connections, unless an option of the
/// server limits them.
fn make_room(args: &mut load::Args) -> Result<(), clap::Error> {
    if !args.serve.serve {
        return Ok(());
    }
    let options = Config::augment_args(clap::Command::new("chat-demo").no_binary_name(true));
    let options = with_variables(options);
    let words: Vec<_> = args.serve.options.iter().map(OsString::from).collect();
    let matches = options.clone().try_get_matches_from(&words);
    let matches = matches.map_err(|error| variables::name(error, &options, &words))?;
    if Config::from_arg_matches(&matches)?.max_connections < args.connections {
        // An option takes precedence over its environment variable.
        let connections = args.connections.to_string();
        args.serve
            .environment
            .push(("CHAT_MAX_CONNECTIONS", connections));
    }
    Ok(())
}

fn serve(config: Config) -> Result<(), String> {
    log(config.log_format, filter()?);
    run(config).map_err(|error| error.to_string())
}

fn run(config: Config) -> Result<(), ServeError> {
    // Listen before the log says that there is a server: a reader may signal at once.
    let ending = Ending::listen()?;
    raise_open_files(config.max_connections);
    let server = Server::start(config)?;
    ending.wait();
    server.drain()
}

/// Reads from `RUST_LOG` which log lines are wanted.
fn filter() -> Result<Targets, String> {
    let wanted = match env::var("RUST_LOG") {
        Ok(wanted) if !wanted.trim().is_empty() => wanted,
        Err(VarError::NotUnicode(_)) => return Err("cannot read RUST_LOG: not UTF-8".to_owned()),
        _ => "info".to_owned(),
    };
    let refuse = |reason: &dyn Display| {
        format!(
            "cannot read RUST_LOG `{wanted}`: {reason}; use a level, like `info`, or levels of \
             modules, like `info,chat_demo_server=debug`"
        )
    };
    let filter: Targets = wanted.parse().map_err(|error| refuse(&error))?;
    let is_path = |name: &str| {
        name.chars()
            .all(|c| c.is_alphanumeric() || "_:-".contains(c))
    };
    match filter.iter().find(|(name, _)| !is_path(name)) {
        Some((name, _)) => Err(refuse(&format_args!("`{name}` is no module"))),
        None => Ok(filter),
    }
}

/// Writes log lines to standard output.
fn log(format: LogFormat, filter: Targets) {
    let lines = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_target(false)
        // A line that cannot be written is lost. To say so on standard error panics if that cannot
        // be written, either.
        .log_internal_errors(false)
        .with_ansi(io::stdout().is_terminal());
    match format {
        LogFormat::Text => lines.finish().with(filter).init(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines.finish().with(filter).init();
        }
    }
}
