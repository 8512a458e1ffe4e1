//! A publishing member: when it publishes, and what.

use std::fmt::Write;
use std::future::pending;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::pace::Pace;
use super::shared::Shared;

pub(super) struct Publisher {
    /// Its number among the publishers of its room, and their count.
    seat: usize,
    of_room: u64,
    /// Its number among all publishers, and their count.
    rank: u64,
    of_all: u64,
    window: usize,
    size: usize,
    clock: Clock,
    pace: watch::Receiver<Option<Pace>>,
    /// The current step, and the messages that it has sent in it.
    step: u64,
    in_step: u64,
    sent: u64,
    unanswered: usize,
}

/// The data in a published text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The publisher's number in its room.
    pub(super) publisher: usize,
    pub(super) number: u64,
    /// When it was due, on the shared clock.
    pub(super) due: u64,
}

impl Publisher {
    /// Creates the publisher of a client, with its number in its room.
    pub(super) fn new(shared: &Shared, client: usize, seat: usize) -> Self {
        let plan = &shared.plan;
        Self {
            seat,
            of_room: plan.publishers_of(plan.room_of(client)) as u64,
            // The publishers are the first clients.
            rank: client as u64,
            of_all: plan.all_publishers() as u64,
            window: plan.args.window,
            size: plan.args.size as usize,
            clock: shared.clock,
            pace: shared.pace.subscribe(),
            step: 0,
            in_step: 0,
            sent: 0,
            unanswered: 0,
        }
    }

    /// Waits until the next text is due, and returns when it was due, on the shared clock. Cancel
    /// safe.
    pub(super) async fn due(&mut self) -> u64 {
        loop {
            let pace = *self.pace.borrow_and_update();
            let due = pace.and_then(|pace| self.next(&pace));
            let moment = due.map(|due| self.clock.moment(due));
            if let (Some(due), Some(moment)) = (due, moment)
                && moment <= Instant::now()
            {
                return due;
            }
            let wait = async {
                match moment {
                    Some(moment) => sleep_until(moment).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                changed = self.pace.changed() => if changed.is_err() {
                    return pending().await;
                }
            }
        }
    }

    /// Returns when the next text is due, if one is.
    fn next(&mut self, pace: &Pace) -> Option<u64> {
        if pace.step != self.step {
            (self.step, self.in_step) = (pace.step, 0);
        }
        let quota = pace.load.messages.map(|messages| self.share(messages));
        if quota.is_some_and(|quota| self.in_step >= quota) {
            return None;
        }
        let due = match pace.load.rate {
            // Do not wait for earlier acks: a slow server must not slow its measurement.
            Some(rate) => pace.due(rate, self.rank + self.in_step * self.of_all),
            None if self.unanswered >= self.window => return None,
            None => self.clock.now().max(pace.start),
        };
        (!pace.is_over(due)).then_some(due)
    }

    /// Returns its part of a room's messages.
    fn share(&self, messages: u64) -> u64 {
        messages / self.of_room + u64::from((self.seat as u64) < messages % self.of_room)
    }

    /// Returns the next text and its id.
    pub(super) fn text(&mut self, due: u64) -> (String, String) {
        self.sent += 1;
        self.in_step += 1;
        self.unanswered += 1;
        let mut text = String::with_capacity(self.size);
        write!(text, "{} {} {due} ", self.seat, self.sent).expect("a string takes all");
        let rest = self.size.saturating_sub(text.len());
        text.extend(std::iter::repeat_n('.', rest));
        (text, self.sent.to_string())
    }

    /// Counts an acknowledged or refused text.
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
            due: words.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::*;
    use crate::pace::Load;
    use crate::plan::tests::plan;

    /// The first of two publishers in one room, and what sets its pace.
    fn publisher(window: usize) -> (Publisher, Clock, watch::Sender<Option<Pace>>) {
        let mut plan = plan(4, 1, 2);
        plan.args.window = window;
        let shared = Shared::new(plan);
        (Publisher::new(&shared, 0, 0), shared.clock, shared.pace)
    }

    fn step(step: u64, clock: Clock) -> Pace {
        Pace {
            step,
            start: clock.now(),
            load: Load::default(),
        }
    }

    /// Whether something is due within a second.
    async fn is_due(publisher: &mut Publisher) -> bool {
        timeout(Duration::from_secs(1), publisher.due())
            .await
            .is_ok()
    }

    #[test]
    fn a_text_has_its_size_and_its_stamp() {
        let (mut publisher, ..) = publisher(1);
        publisher.text(0);
        let (text, id) = publisher.text(123);
        assert_eq!((text.len(), id.as_str()), (80, "2"));
        let stamp = Stamp {
            publisher: 0,
            number: 2,
            due: 123,
        };
        assert_eq!(Stamp::read(&text), Some(stamp));
        assert_eq!(Stamp::read("hello"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_due_without_a_pace() {
        let (mut publisher, clock, pace) = publisher(9);
        assert!(!is_due(&mut publisher).await);
        pace.send_replace(Some(step(1, clock)));
        assert!(is_due(&mut publisher).await);
        pace.send_replace(None);
        assert!(!is_due(&mut publisher).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_publishers_of_a_room_share_its_messages_in_each_step() {
        let (mut publisher, clock, pace) = publisher(9);
        for number in 1..=2 {
            let mut step = step(number, clock);
            step.load.messages = Some(5);
            pace.send_replace(Some(step));
            for _ in 0..3 {
                publisher.due().await;
                publisher.text(0);
            }
            assert!(!is_due(&mut publisher).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_waits_for_answers() {
        let (mut publisher, clock, pace) = publisher(2);
        pace.send_replace(Some(step(1, clock)));
        for _ in 0..2 {
            publisher.due().await;
            publisher.text(0);
        }
        assert!(!is_due(&mut publisher).await);
        publisher.answered();
        publisher.due().await;
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_due_at_the_end_of_the_time() {
        let (mut publisher, clock, pace) = publisher(1);
        let mut step = step(1, clock);
        // Each of the two publishers every 20 ms.
        step.load.rate = Some(100.0);
        step.load.time = Some(Duration::from_millis(40));
        pace.send_replace(Some(step));
        for _ in 0..2 {
            publisher.due().await;
            publisher.text(0);
        }
        assert!(!is_due(&mut publisher).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_keeps_its_times_when_it_is_late() {
        let (mut publisher, clock, pace) = publisher(1);
        let mut step = step(1, clock);
        step.load.rate = Some(1000.0);
        pace.send_replace(Some(step));
        let first = publisher.due().await;
        publisher.text(first);
        advance(Duration::from_millis(200)).await;
        assert_eq!(publisher.due().await - first, 2000);
    }
}
