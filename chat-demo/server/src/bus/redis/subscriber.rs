//! The subscriptions of this server in Redis.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use anthill::Pool;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use redis::{RedisError, RedisResult};
use tokio::time::sleep;

use super::link::{Line, Link, is_refusal};
use super::listeners::{Listeners, Registered};
use crate::bus::BusListener;

/// The pause between two attempts to subscribe.
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps the subscriptions in Redis equal to the channels of the listeners. A channel that cannot
/// be subscribed does not delay the others: its part of a cluster may be down.
pub(super) struct Subscriber {
    link: Arc<Link>,
    listeners: Arc<Listeners>,
    /// The pool in which listeners catch up.
    reads: Pool,
    /// The number of the connection, if there is one; what follows is about it.
    line: Option<u64>,
    channels: HashMap<String, Subscription>,
    attempts: FuturesUnordered<BoxFuture<'static, Attempt>>,
    /// Channels that were refused since they were last asked for.
    refused: Vec<String>,
    /// Whether each listener was last notified that it is subscribed, or cut off, by id.
    notified: HashMap<u64, bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subscription {
    /// Asked for, and not answered.
    Asked,
    Subscribed,
    /// Refused, or not answered in time. It is asked for again.
    Refused,
    /// It is being ended.
    Ending,
}

/// The end of an attempt to subscribe channels, or to end their subscriptions.
struct Attempt {
    channels: Vec<String>,
    subscribes: bool,
    result: RedisResult<()>,
}

impl Subscriber {
    pub(super) fn new(link: Arc<Link>, listeners: Arc<Listeners>, reads: Pool) -> Self {
        Self {
            link,
            listeners,
            reads,
            line: None,
            channels: HashMap::new(),
            attempts: FuturesUnordered::new(),
            refused: Vec::new(),
            notified: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let (link, listeners) = (self.link.clone(), self.listeners.clone());
        let mut changes = link.changes();
        // The link may have connected before this task began.
        changes.mark_changed();
        loop {
            tokio::select! {
                _ = changes.changed() => {}
                () = listeners.changed.notified() => {}
                // A lost announcement may concern any listener.
                () = link.missed.notified() => self.notified.clear(),
                Some(attempt) = self.attempts.next() => self.finish(attempt),
            }
            while let Some(Some(attempt)) = self.attempts.next().now_or_never() {
                self.finish(attempt);
            }
            let line = changes.borrow_and_update().clone();
            let number = line.as_ref().map(|line| line.number);
            if number != self.line {
                self.line = number;
                self.channels.clear();
                self.attempts.clear();
                self.refused.clear();
                self.notified.clear();
            }
            let all = listeners.all();
            if let Some(line) = &line {
                self.adjust(line, &all);
            }
            self.notify(all).await;
            for listener in listeners.take_behind() {
                send_to_read(&self.reads, listener).await;
            }
        }
    }

    /// Begins to subscribe and to unsubscribe channels as needed.
    fn adjust(&mut self, line: &Line, all: &[Registered]) {
        let wanted: HashSet<_> = all.iter().map(|(_, channel, _)| channel.as_str()).collect();
        let mut again = mem::take(&mut self.refused);
        again.retain(|channel| {
            let is_wanted = wanted.contains(channel.as_str());
            if !is_wanted {
                self.channels.remove(channel);
            }
            is_wanted
        });
        let mut missing = Vec::new();
        for channel in &wanted {
            if !self.channels.contains_key(*channel) {
                self.channels
                    .insert((*channel).to_owned(), Subscription::Asked);
                missing.push((*channel).to_owned());
            }
        }
        let (mut unwanted, mut is_deaf) = (Vec::new(), false);
        for (channel, subscription) in &mut self.channels {
            is_deaf |= *subscription == Subscription::Refused;
            if *subscription == Subscription::Subscribed && !wanted.contains(channel.as_str()) {
                *subscription = Subscription::Ending;
                unwanted.push(channel.clone());
            }
        }
        if !is_deaf {
            self.link.troubles.listening(None);
        }
        self.attempt(line, &unwanted, false, Duration::ZERO);
        self.attempt(line, &missing, true, Duration::ZERO);
        self.attempt(line, &again, true, PAUSE);
    }

    /// Begins to subscribe or to unsubscribe channels after `pause`.
    fn attempt(&self, line: &Line, channels: &[String], subscribes: bool, pause: Duration) {
        for channels in channels.chunks(line.connection.channels_at_once()) {
            let (mut connection, channels) = (line.connection.clone(), channels.to_vec());
            self.attempts.push(Box::pin(async move {
                if !pause.is_zero() {
                    sleep(pause).await;
                }
                let result = if subscribes {
                    connection.subscribe(&channels).await
                } else {
                    connection.unsubscribe(&channels).await
                };
                Attempt {
                    channels,
                    subscribes,
                    result,
                }
            }));
        }
    }

    fn finish(&mut self, attempt: Attempt) {
        let Attempt {
            channels,
            subscribes,
            result,
        } = attempt;
        if !subscribes {
            // If Redis did not do it, announcements without a listener are ignored.
            for channel in channels {
                self.channels.remove(&channel);
            }
            return;
        }
        let subscription = match result {
            Ok(()) => Subscription::Subscribed,
            Err(error) => {
                self.failed(&error);
                self.refused.extend_from_slice(&channels);
                Subscription::Refused
            }
        };
        for channel in channels {
            self.channels.insert(channel, subscription);
        }
    }

    fn failed(&self, error: &RedisError) {
        tracing::debug!(%error, "cannot subscribe");
        self.link.doubt();
        if is_refusal(error) {
            self.link.troubles.listening(Some(error));
        }
    }

    /// Notifies the listeners that are subscribed or cut off now, and were not before; otherwise,
    /// they would wait forever.
    async fn notify(&mut self, all: Vec<Registered>) {
        let before = mem::take(&mut self.notified);
        for (id, channel, listener) in all {
            let last = before.get(&id).copied();
            let Some(now) = self.hears(&channel).or(last) else {
                continue;
            };
            self.notified.insert(id, now);
            if last == Some(now) {
                continue;
            }
            if now {
                send_to_read(&self.reads, listener).await;
            } else {
                listener.cut_off().await;
            }
        }
    }

    /// Returns whether listeners of a channel hear announcements; `None` if that is not known yet.
    fn hears(&self, channel: &str) -> Option<bool> {
        if self.line.is_none() {
            return Some(false);
        }
        match self.channels.get(channel)? {
            Subscription::Subscribed => Some(true),
            Subscription::Refused => Some(false),
            Subscription::Asked | Subscription::Ending => None,
        }
    }
}

/// Lets a listener catch up when the pool has a slot: thousands may need to at once.
async fn send_to_read(reads: &Pool, listener: Arc<dyn BusListener>) {
    // Ignore an error: the pool is closed, and the server ends.
    if let Ok(slot) = reads.slot().await {
        slot.spawn(listener.catch_up());
    }
}
