//! The command line.

use chat_demo_load as load;
use chat_demo_server::config::Config;
use chat_demo_server::issue;
use clap::{Parser, Subcommand};

/// A chat server whose connections and fan-out run in a bounded worker pool
#[derive(Debug, Parser)]
#[command(name = "chat-demo", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub(crate) config: Config,
}

/// What the binary does beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Loads a server and measures how it bears up
    Load(Box<load::Args>),
    /// Makes a token for a user
    Token(issue::Args),
}
