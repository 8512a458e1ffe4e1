//! Serves like `chat-demo`, with its options, until it is told to end.

use std::process::ExitCode;
use std::sync::mpsc;

use chat_on_tokio::config::Config;
use chat_on_tokio::error::ServeError;
use chat_on_tokio::server::{Server, raise_open_files};
use clap::{Args, Command, FromArgMatches};
use tokio::signal::ctrl_c;

fn main() -> ExitCode {
    let matches = Config::augment_args(Command::new("chat-on-tokio")).get_matches();
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
    raise_open_files(config.max_connections);
    let server = Server::start(config)?;
    let (told, end) = mpsc::channel();
    let listening = server.spawn(async move {
        let heard = ctrl_c().await;
        // Heard for as long as the server is there, and so is this task.
        let _ = told.send(heard);
    });
    end.recv().expect("the task tells before it ends")?;
    drop(listening);
    server.drain()
}
