//! The timers of a connection: heartbeats and silence.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::payload;

/// The longest time of a server: a longer one would overflow the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The timers of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    heartbeat: Duration,
    idle: Duration,
    /// When a frame was sent last.
    pub(super) sent: Instant,
    heard: Instant,
    /// Whether frames arrived since `heard`. Frames that arrive together read the clock once.
    pub(super) heard_something: bool,
    /// When a heartbeat was sent last.
    beat: Instant,
    /// The first heartbeat without an answer.
    asked: Option<Instant>,
    /// The timer. Not reset for each frame; the due time is computed when it fires.
    timer: Pin<Box<Sleep>>,
}

/// An action that is due.
pub(super) enum Due {
    Heartbeat,
    /// The end of the connection, after a silence of this time.
    End(Duration),
}

impl Pulse {
    pub(super) fn new(welcome: &payload::Welcome) -> Self {
        let time = |ms: u64| Duration::from_millis(ms.max(1)).min(LONGEST);
        let (now, heartbeat) = (Instant::now(), time(welcome.heartbeat_ms));
        Self {
            heartbeat,
            idle: time(welcome.idle_ms),
            sent: now,
            heard: now,
            heard_something: false,
            beat: now,
            asked: None,
            timer: Box::pin(sleep_until(now + heartbeat)),
        }
    }

    /// Waits until something is due, after all received messages were read.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if mem::take(&mut self.heard_something) {
            self.heard = Instant::now();
            self.asked = None;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let end = self.end();
            if end.is_some_and(|end| end <= now) {
                return Poll::Ready(Due::End(now - self.heard));
            }
            if self.next_beat() <= now {
                self.beat = now;
                self.asked.get_or_insert(now);
                return Poll::Ready(Due::Heartbeat);
            }
            let next = end.map_or(self.next_beat(), |end| end.min(self.next_beat()));
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }

    /// Returns when a heartbeat is due: when one side has been silent for the interval.
    fn next_beat(&self) -> Instant {
        self.sent.min(self.heard).max(self.beat) + self.heartbeat
    }

    /// Returns when the silence is too long. It counts from the first unanswered heartbeat, so a
    /// program that did not read for long keeps its connection.
    fn end(&self) -> Option<Instant> {
        let asked = self.asked? + self.heartbeat;
        Some(asked.max(self.heard + self.idle))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pulse() -> Pulse {
        let welcome = serde_json::from_value(serde_json::json!({
            "session": "", "user": "", "node": "", "max_payload": 1, "heartbeat_ms": 30, "idle_ms": 75
        }));
        Pulse::new(&welcome.expect("a payload"))
    }

    /// Returns the action that is due within a time, which passes while the program waits.
    async fn due_within(pulse: &mut Pulse, time: Duration) -> Option<String> {
        let due = poll_fn(|cx| pulse.poll(cx));
        match timeout(time, due).await.ok()? {
            Due::Heartbeat => Some("heartbeat".to_owned()),
            Due::End(silence) => Some(format!("end after {}", silence.as_millis())),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_due_when_one_side_is_silent() {
        for server_is_quiet in [true, false] {
            let mut pulse = pulse();
            assert_eq!(due_within(&mut pulse, 20 * MS).await, None);
            if server_is_quiet {
                pulse.sent = Instant::now();
            } else {
                pulse.heard_something = true;
            }
            let due = due_within(&mut pulse, 11 * MS).await;
            assert_eq!(due.as_deref(), Some("heartbeat"));
            assert_eq!(due_within(&mut pulse, 29 * MS).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_sends_no_heartbeat() {
        let mut pulse = pulse();
        for _ in 0..20 {
            assert_eq!(due_within(&mut pulse, 20 * MS).await, None);
            pulse.heard_something = true;
            pulse.sent = Instant::now();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_no_heartbeat_is_given_up() {
        let mut pulse = pulse();
        let mut due = Vec::new();
        while due.len() < 3 {
            due.extend(due_within(&mut pulse, 100 * MS).await);
        }
        assert_eq!(due, ["heartbeat", "heartbeat", "end after 75"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_did_not_look_asks_before_it_gives_up() {
        let mut pulse = pulse();
        advance(Duration::from_secs(3600)).await;
        let due = due_within(&mut pulse, MS).await;
        assert_eq!(due.as_deref(), Some("heartbeat"));
        assert_eq!(due_within(&mut pulse, 29 * MS).await, None);
        pulse.heard_something = true;
        let due = due_within(&mut pulse, 31 * MS).await;
        assert_eq!(due.as_deref(), Some("heartbeat"));
    }

    #[tokio::test(start_paused = true)]
    async fn absurdly_long_times_are_accepted() {
        let mut welcome = serde_json::json!({
            "session": "", "user": "", "node": "", "max_payload": 1, "heartbeat_ms": u64::MAX, "idle_ms": u64::MAX
        });
        let read = |welcome: &serde_json::Value| serde_json::from_value(welcome.clone()).unwrap();
        let mut pulse = Pulse::new(&read(&welcome));
        assert_eq!(due_within(&mut pulse, 1000 * MS).await, None);
        welcome["heartbeat_ms"] = 0.into();
        welcome["idle_ms"] = 0.into();
        let mut pulse = Pulse::new(&read(&welcome));
        assert!(due_within(&mut pulse, 10 * MS).await.is_some());
    }
}
