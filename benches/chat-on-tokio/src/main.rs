//! Serves like `chat-demo`, with the same options, until it gets SIGINT or SIGTERM.

use std::process::ExitCode;

use chat_demo_server::config::{Config, with_variables};
use chat_demo_server::error::ServeError;
use chat_demo_server::server::{Server, raise_open_files};
use clap::{Args, Command, FromArgMatches};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let command = Config::augment_args(Command::new("chat-on-tokio"));
    let matches = with_variables(command).get_matches();
    let config = Config::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    tracing_subscriber::fmt().with_target(false).init();
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-on-tokio: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> Result<(), ServeError> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    raise_open_files(config.max_connections);
    let server = Server::start(config)?;
    signals.forever().next();
    server.drain()
}
