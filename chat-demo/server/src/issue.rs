//! `chat-demo token`: makes a token, for whoever wants to try a server that asks for them.

use std::time::Duration;

use thiserror::Error;

use crate::config::parse::duration;
use crate::secret::{SecretArgs, SecretError};
use crate::token;

/// For whom, and for how long.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server's secret.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// Name of the user
    #[arg(long, value_name = "NAME", value_parser = user)]
    pub user: String,

    /// Let the user alert everybody
    #[arg(long)]
    pub admin: bool,

    /// How long the token is good
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub time: Duration,
}

/// Why there is no token.
#[derive(Debug, Error)]
pub enum IssueError {
    /// What it would be signed with is not there.
    #[error("a token needs the server's secret: --token-secret or --token-secret-file")]
    NoSecret,
    /// What it would be signed with cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Makes the token.
pub fn run(args: &Args) -> Result<String, IssueError> {
    let secret = args.secret.read()?.ok_or(IssueError::NoSecret)?;
    Ok(token::sign(&secret, &args.user, args.admin, args.time))
}

fn user(text: &str) -> Result<String, &'static str> {
    if token::is_user(text) {
        Ok(text.to_owned())
    } else {
        Err("not 1 to 64 printable bytes, or it begins like a guest's")
    }
}
