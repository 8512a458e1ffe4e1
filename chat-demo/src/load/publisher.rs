//! When a member publishes next, and what it says.

use std::{fmt::Write, future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::args::Args;

/// One publishing member of a room.
#[derive(Debug)]
pub(super) struct Publisher {
    /// Its number among the publishers of its room.
    seat: usize,
    pace: Pace,
    quota: Option<u64>,
    /// Nothing is due so long after the start.
    until: Option<Duration>,
    sent: u64,
    unanswered: usize,
    size: usize,
    start: watch::Receiver<Option<Instant>>,
    stop: CancellationToken,
}

#[derive(Debug)]
enum Pace {
    /// The next goes when fewer than so many lack their ack.
    Window(usize),
    /// The next goes at its time, whatever became of those before: a slow server must not slow what measures it.
    Rate { first: Duration, every: Duration },
}

/// What a text of a publisher tells its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The publisher's number in its room.
    pub(super) publisher: usize,
    /// Which of its texts this is, from 1.
    pub(super) number: u64,
    /// When it should have gone, in microseconds of the run's clock.
    pub(super) due_us: u64,
}

impl Publisher {
    /// The publisher that `client` is, if it is one.
    pub(super) fn of(
        args: &Args,
        client: usize,
        start: watch::Receiver<Option<Instant>>,
        stop: CancellationToken,
    ) -> Option<Self> {
        let (room, seat) = (args.room_of(client), args.seat_of(client));
        let publishers = args.publishers_of(room);
        if seat >= publishers {
            return None;
        }
        let share = |messages: u64| {
            messages / publishers as u64 + u64::from((seat as u64) < messages % publishers as u64)
        };
        let pace = args.rate.map_or(Pace::Window(args.window), |rate| {
            let all: usize = (0..args.rooms()).map(|room| args.publishers_of(room)).sum();
            // The publishers are the first clients: each begins in its own part of the first round.
            Pace::Rate {
                first: Duration::from_secs_f64(client as f64 / rate),
                every: Duration::from_secs_f64(all as f64 / rate),
            }
        });
        let (quota, size) = (args.messages().map(share), args.size as usize);
        Some(Self {
            seat,
            pace,
            quota,
            until: args.duration,
            sent: 0,
            unanswered: 0,
            size,
            start,
            stop,
        })
    }

    /// Waits for the time to publish the next text and tells when that should have been. Safe to cancel.
    pub(super) async fn due(&mut self) -> Instant {
        let Ok(Some(start)) = self
            .start
            .wait_for(Option::is_some)
            .await
            .map(|start| *start)
        else {
            return pending().await;
        };
        let due = match self.pace {
            Pace::Window(window) if self.unanswered >= window => return pending().await,
            Pace::Window(_) => Instant::now(),
            Pace::Rate { first, every } => start + first + every.mul_f64(self.sent as f64),
        };
        let late = |until| due.duration_since(start) >= until;
        if self.quota.is_some_and(|quota| self.sent >= quota) || self.until.is_some_and(late) {
            return pending().await;
        }
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if self.stop.is_cancelled() {
            return pending().await;
        }
        due
    }

    /// The next text, and its id.
    pub(super) fn text(&mut self, due_us: u64) -> (String, String) {
        self.sent += 1;
        self.unanswered += 1;
        let mut text = String::with_capacity(self.size);
        write!(text, "{} {} {due_us} ", self.seat, self.sent).expect("a string takes all");
        text.extend(std::iter::repeat_n(
            '.',
            self.size.saturating_sub(text.len()),
        ));
        (text, self.sent.to_string())
    }

    /// One text has been taken or refused.
    pub(super) fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }
}

impl Stamp {
    /// Reads what [`Publisher::text`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        Some(Self {
            publisher: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            due_us: words.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn publisher(line: &str, client: usize) -> Option<Publisher> {
        let args =
            Args::try_parse_from(std::iter::once("load").chain(line.split_whitespace())).unwrap();
        // Without its sender a watch keeps its value.
        let (_, start) = watch::channel(Some(Instant::now()));
        Publisher::of(&args, client, start, CancellationToken::new())
    }

    #[test]
    fn a_text_has_its_size_and_tells_its_origin() {
        let mut publisher =
            publisher("--connections 4 --rooms 2 --publishers 2 --size 80", 2).unwrap();
        publisher.text(0);
        let (text, id) = publisher.text(123);
        assert_eq!((text.len(), id.as_str()), (80, "2"));
        assert_eq!(
            Stamp::read(&text),
            Some(Stamp {
                publisher: 1,
                number: 2,
                due_us: 123
            })
        );
        assert_eq!(Stamp::read("hello"), None);
    }

    #[test]
    fn the_publishers_of_a_room_share_its_messages() {
        let quotas = |client| {
            publisher(
                "--connections 9 --rooms 1 --publishers 3 --messages 10",
                client,
            )
            .map(|p| p.quota)
        };
        assert_eq!(
            (0..4).map(quotas).collect::<Vec<_>>(),
            [Some(Some(4)), Some(Some(3)), Some(Some(3)), None]
        );
    }

    #[tokio::test]
    async fn a_window_waits_for_answers() {
        let mut publisher = publisher("--connections 1 --window 2 --messages 9", 0).unwrap();
        for _ in 0..2 {
            publisher.due().await;
            publisher.text(0);
        }
        assert!(
            tokio::time::timeout(Duration::from_millis(20), publisher.due())
                .await
                .is_err()
        );
        publisher.answered();
        publisher.due().await;
    }

    #[tokio::test]
    async fn nothing_is_due_at_the_end_of_the_duration() {
        let mut publisher = publisher("--connections 1 --rate 100 --duration 0.02", 0).unwrap();
        for _ in 0..2 {
            publisher.due().await;
            publisher.text(0);
        }
        let third = tokio::time::timeout(Duration::from_millis(50), publisher.due());
        assert!(third.await.is_err());
    }

    #[tokio::test]
    async fn a_rate_keeps_its_times_when_it_is_late() {
        let mut publisher = publisher("--connections 1 --rate 1000", 0).unwrap();
        let start = publisher.due().await;
        publisher.text(0);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(publisher.due().await - start, Duration::from_millis(1));
    }
}
