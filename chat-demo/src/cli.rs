//! The command line.

use chat_demo_load as load;
use chat_demo_server::config::Config;
use chat_demo_server::issue;
use clap::{Parser, Subcommand};

/// A chat server whose connections and fan-out run in a bounded worker pool
#[derive(Debug, Parser)]
#[command(name = "chat-demo", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// The subcommand; without one, the program serves.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The options of the server.
    #[command(flatten)]
    pub(crate) config: Config,
}

/// Subcommands besides serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a server and measure it
    Load(Box<load::Args>),
    /// Make a token for a user
    Token(issue::Args),
}
