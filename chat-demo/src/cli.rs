//! The command line.

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{issue, load};

/// A chat server whose connections and fan-out run in a bounded worker pool
#[derive(Debug, Parser)]
#[command(name = "chat-demo", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub config: Config,
}

/// What the binary does beside serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Loads a server and measures how it bears up
    Load(Box<load::Args>),
    /// Makes a token for a user
    Token(issue::Args),
}
