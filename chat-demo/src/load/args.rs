//! What to do to which server.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

use super::{rounds::LimitArgs, serve::ServeArgs};

/// Messages a room gets when neither a number nor a time is given.
const MESSAGES: u64 = 100;

/// Connects many clients, lets some publish, and checks that each gets every message once and in order.
#[derive(Clone, Debug, Parser)]
pub struct Args {
    /// The server's WebSocket.
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub target: String,
    /// How many clients connect.
    #[arg(long, short, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub connections: usize,
    /// Over how many rooms they spread [default: one for each 100 connections].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub rooms: Option<usize>,
    /// How many members of each room publish.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub publishers: usize,
    /// How many messages each room gets [default: 100, or as many as fit the duration].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "duration")]
    pub messages: Option<u64>,
    /// How long to publish, in seconds.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Messages a second over all rooms, answered or not [default: as fast as they are acknowledged].
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Without a rate: how many messages of one publisher may lack their ack.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub window: usize,
    /// Length of a text, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(48..=1_000_000))]
    pub size: u32,
    /// How many handshakes may be under way.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub concurrency: usize,
    /// From how many loopback addresses to connect, 127.0.0.1 and up; one has about 28,000 ports.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=254))]
    pub sources: u8,
    /// Keep the members idle for so long before publishing, to look at the server.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub hold: Option<Duration>,
    /// Give up when nothing has arrived for so long.
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub patience: Duration,
    /// Also write the report here.
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// Also write it here as a page with plots
    #[arg(long, value_name = "PATH")]
    pub html: Option<PathBuf>,
    /// The server, if it is to be started for this.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// The limit, if it is to be found.
    #[command(flatten)]
    pub limit: LimitArgs,
}

impl Args {
    /// How many rooms there are; none is without a member.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms
            .unwrap_or(self.connections / 100)
            .clamp(1, self.connections)
    }

    /// How many messages each room gets, unless time is the limit.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        self.messages.or(if self.duration.is_some() {
            None
        } else {
            Some(MESSAGES)
        })
    }

    /// The room that a client joins.
    #[must_use]
    pub fn room_of(&self, client: usize) -> usize {
        client % self.rooms()
    }

    /// The number of a client among the members of its room.
    #[must_use]
    pub fn seat_of(&self, client: usize) -> usize {
        client / self.rooms()
    }

    /// How many of the members of `room` publish.
    #[must_use]
    pub fn publishers_of(&self, room: usize) -> usize {
        let members = (self.connections - room).div_ceil(self.rooms());
        self.publishers.min(members)
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err("a number above 0 is needed".to_owned())
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match positive(text)? {
        rate if rate < 0.001 => Err("at least 0.001 is needed".to_owned()),
        rate => Ok(rate),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    positive(text)
        .and_then(|number| Duration::try_from_secs_f64(number).map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::try_parse_from(std::iter::once("load").chain(line.split_whitespace())).unwrap()
    }

    #[test]
    fn clients_spread_over_the_rooms_and_the_first_of_each_publish() {
        let args = args("--connections 7 --rooms 3 --publishers 3");
        assert_eq!(
            (0..7)
                .map(|client| args.room_of(client))
                .collect::<Vec<_>>(),
            [0, 1, 2, 0, 1, 2, 0]
        );
        assert_eq!(
            (0..7)
                .map(|client| args.seat_of(client))
                .collect::<Vec<_>>(),
            [0, 0, 0, 1, 1, 1, 2]
        );
        assert_eq!(
            (0..3)
                .map(|room| args.publishers_of(room))
                .collect::<Vec<_>>(),
            [3, 2, 2]
        );
    }

    #[test]
    fn rooms_and_messages_have_sensible_defaults() {
        assert_eq!(
            (args("").rooms(), args("").messages()),
            (10, Some(MESSAGES))
        );
        assert_eq!(args("--connections 5").rooms(), 1);
        assert_eq!(args("--connections 5 --rooms 9").rooms(), 5);
        assert_eq!(args("--duration 0.5").messages(), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--connections 0",
            "--rate 0",
            "--rate NaN",
            "--duration -1",
            "--size 3",
            "--messages 1 --duration 1",
        ] {
            let words = std::iter::once("load").chain(line.split_whitespace());
            assert!(Args::try_parse_from(words).is_err(), "{line} passed");
        }
    }
}
