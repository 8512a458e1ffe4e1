//! The subscriptions of this server in Redis, and the dispatch of announcements to listeners.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anthill::Pool;
use parking_lot::Mutex;
use redis::{FromRedisValue, PushInfo, PushKind, RedisResult, Value};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::announcement;
use super::keys;
use super::link::{Line, Link};
use crate::bus::{BusListener, Watch};

/// The most channels in one command.
const CHANNELS: usize = 256;
/// The pause between two attempts to subscribe.
const PAUSE: Duration = Duration::from_millis(200);

/// The listeners of one channel, with their ids.
type OfChannel = Vec<(u64, Weak<dyn BusListener>)>;

/// A listener with its id and its channel.
type Registered = (u64, String, Arc<dyn BusListener>);

/// The listeners of all channels.
#[derive(Default)]
pub(super) struct Listeners {
    by_channel: Mutex<HashMap<String, OfChannel>>,
    next: AtomicU64,
    /// Notified when a listener is added, removed, or must catch up.
    changed: Notify,
    /// Listeners that missed something.
    behind: Mutex<Vec<Arc<dyn BusListener>>>,
}

impl Listeners {
    pub(super) fn watch(
        self: &Arc<Self>,
        channel: String,
        listener: Weak<dyn BusListener>,
    ) -> Watch {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut by_channel = self.by_channel.lock();
        by_channel
            .entry(channel.clone())
            .or_default()
            .push((id, listener));
        drop(by_channel);
        self.changed.notify_one();
        let listeners = self.clone();
        Watch::new(move || listeners.end(&channel, id))
    }

    fn end(&self, channel: &str, id: u64) {
        let mut by_channel = self.by_channel.lock();
        if let Some(listeners) = by_channel.get_mut(channel) {
            listeners.retain(|(other, _)| *other != id);
            if listeners.is_empty() {
                by_channel.remove(channel);
            }
        }
        drop(by_channel);
        self.changed.notify_one();
    }

    pub(super) fn catch_up(&self, listener: Arc<dyn BusListener>) {
        self.behind.lock().push(listener);
        self.changed.notify_one();
    }

    pub(super) fn of(&self, channel: &str) -> Vec<Arc<dyn BusListener>> {
        let by_channel = self.by_channel.lock();
        let listeners = by_channel.get(channel).into_iter().flatten();
        listeners
            .filter_map(|(_, listener)| listener.upgrade())
            .collect()
    }

    fn all(&self) -> Vec<Registered> {
        let by_channel = self.by_channel.lock();
        let each = by_channel.iter().flat_map(|(channel, listeners)| {
            listeners
                .iter()
                .map(move |(id, listener)| (*id, channel, listener))
        });
        each.filter_map(|(id, channel, listener)| Some((id, channel.clone(), listener.upgrade()?)))
            .collect()
    }
}

/// Keeps the subscriptions in Redis equal to the channels of the listeners.
pub(super) struct Subscriber {
    link: Arc<Link>,
    listeners: Arc<Listeners>,
    /// The pool in which listeners catch up.
    reads: Pool,
    /// Channels that the connection number `line` is subscribed to.
    subscribed: HashSet<String>,
    line: Option<u64>,
    /// Listeners that were notified of the current state: subscribed or cut off.
    notified: HashSet<u64>,
    /// Whether Redis refuses to subscribe the connection.
    deaf: bool,
}

impl Subscriber {
    pub(super) fn new(link: Arc<Link>, listeners: Arc<Listeners>, reads: Pool) -> Self {
        Self {
            link,
            listeners,
            reads,
            subscribed: HashSet::new(),
            line: None,
            notified: HashSet::new(),
            deaf: false,
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
            }
            let line = changes.borrow_and_update().clone();
            let number = line.as_ref().map(|line| line.number);
            if number != self.line {
                self.line = number;
                self.subscribed.clear();
                self.notified.clear();
            }
            match line {
                Some(line) => {
                    let listening = self.listen(line).await;
                    link.troubles.listening(listening.as_ref().err());
                    if listening.is_err() {
                        link.doubt();
                        self.subscribe_failed().await;
                        sleep(PAUSE).await;
                        listeners.changed.notify_one();
                    }
                }
                None => self.cut_off().await,
            }
            let behind = mem::take(&mut *listeners.behind.lock());
            for listener in behind {
                self.send_to_read(listener).await;
            }
        }
    }

    /// Subscribes and unsubscribes channels as needed; then new listeners catch up.
    async fn listen(&mut self, mut line: Line) -> RedisResult<()> {
        let all = self.listeners.all();
        let wanted: HashSet<_> = all.iter().map(|(_, channel, _)| channel.as_str()).collect();
        let unwanted = self.subscribed.iter().map(String::as_str);
        let unwanted: Vec<_> = unwanted
            .filter(|channel| !wanted.contains(channel))
            .collect();
        let missing: Vec<_> = wanted
            .iter()
            .copied()
            .filter(|channel| !self.subscribed.contains(*channel))
            .collect();
        for channels in unwanted.chunks(CHANNELS) {
            line.connection.unsubscribe(channels).await?;
        }
        for channels in missing.chunks(CHANNELS) {
            line.connection.subscribe(channels).await?;
        }
        self.subscribed = wanted.into_iter().map(str::to_owned).collect();
        if mem::take(&mut self.deaf) {
            self.notified.clear();
        }
        for listener in self.not_notified(all) {
            self.send_to_read(listener).await;
        }
        Ok(())
    }

    /// Notifies the listeners that they are cut off; otherwise, they would wait forever.
    async fn subscribe_failed(&mut self) {
        // Redis may have done a part of it.
        self.subscribed.clear();
        if !mem::replace(&mut self.deaf, true) {
            self.notified.clear();
        }
        self.cut_off().await;
    }

    async fn cut_off(&mut self) {
        for listener in self.not_notified(self.listeners.all()) {
            listener.cut_off().await;
        }
    }

    /// Returns the listeners to notify of the current state, and records all as notified.
    fn not_notified(&mut self, all: Vec<Registered>) -> Vec<Arc<dyn BusListener>> {
        let ids = all.iter().map(|(id, ..)| *id).collect();
        let notified = mem::replace(&mut self.notified, ids);
        let new = all.into_iter().filter(|(id, ..)| !notified.contains(id));
        new.map(|(.., listener)| listener).collect()
    }

    /// Lets a listener catch up when the pool has a slot: thousands may need to at once.
    async fn send_to_read(&self, listener: Arc<dyn BusListener>) {
        // Ignore an error: the pool is closed, and the server ends.
        if let Ok(slot) = self.reads.slot().await {
            slot.spawn(listener.catch_up());
        }
    }
}

/// Dispatches announcements to listeners, in order, at the pace of the listeners.
pub(super) async fn dispatch(mut pushes: Receiver<PushInfo>, listeners: Arc<Listeners>) {
    while let Some(push) = pushes.recv().await {
        match push.kind {
            PushKind::Message | PushKind::SMessage => {
                let Some((channel, bytes)) = content(&push.data) else {
                    continue;
                };
                let room = keys::room_of(&channel).unwrap_or_default();
                let Some(event) = announcement::decode(&room, bytes) else {
                    tracing::debug!(channel, "cannot decode announcement");
                    continue;
                };
                for listener in listeners.of(&channel) {
                    listener.on_event(event.clone()).await;
                }
            }
            // The cluster moved the room, or a node of it is back.
            PushKind::SSubscribe => {
                let channel = push.data.first().map(String::from_redis_value_ref);
                for listener in channel
                    .and_then(Result::ok)
                    .map_or(Vec::new(), |channel| listeners.of(&channel))
                {
                    listeners.catch_up(listener);
                }
            }
            _ => {}
        }
    }
}

fn content(data: &[Value]) -> Option<(String, &[u8])> {
    let [channel, Value::BulkString(bytes)] = data else {
        return None;
    };
    Some((String::from_redis_value_ref(channel).ok()?, bytes))
}
