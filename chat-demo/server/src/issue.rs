//! `chat-demo token`: makes a token.

use std::time::Duration;

use thiserror::Error;

use crate::config::parse::within;
use crate::rights::is_pattern;
use crate::secret::{SecretArgs, SecretError};
use crate::token;

/// The options of a token.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server's secret.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// Name of the user
    #[arg(long, value_name = "NAME", value_parser = user)]
    pub user: String,

    /// Let the user send alerts and use the HTTP API
    #[arg(long)]
    pub admin: bool,

    /// Rooms that the user may join: names, or prefixes with *; may be repeated
    /// [default: all]
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', value_parser = pattern)]
    pub rooms: Vec<String>,

    /// How long the token is valid
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    pub time: Duration,
}

/// Why no token was made.
#[derive(Debug, Error)]
pub enum IssueError {
    /// There is no secret.
    #[error("a token needs the server's secret: --token-secret or --token-secret-file")]
    NoSecret,
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Makes the token.
pub fn run(args: &Args) -> Result<String, IssueError> {
    let secret = args.secret.read()?.ok_or(IssueError::NoSecret)?;
    Ok(token::sign(
        &secret,
        &args.user,
        args.admin,
        &args.rooms,
        args.time,
    ))
}

/// Reads how long a token is valid. Its end is a whole second: a shorter time could be over at
/// once.
fn lifetime(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1).., "too short: use at least 1s")
}

fn user(text: &str) -> Result<String, &'static str> {
    let error = "not 1 to 64 printable bytes, or it begins like a guest's";
    token::is_user(text).then(|| text.to_owned()).ok_or(error)
}

fn pattern(text: &str) -> Result<String, &'static str> {
    let error = "not the name of a room, nor the beginning of names followed by *";
    is_pattern(text).then(|| text.to_owned()).ok_or(error)
}
