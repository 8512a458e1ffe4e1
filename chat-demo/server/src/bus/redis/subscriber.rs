//! What is heard from Redis: which rooms this server listens to, and who is told.

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
use crate::bus::{Ear, Watch};

/// Channels that are asked for at once.
const CHANNELS: usize = 256;
/// Between two attempts to listen.
const PAUSE: Duration = Duration::from_millis(200);

/// Those who listen to one channel, by their ids.
type Listeners = Vec<(u64, Weak<dyn Ear>)>;

/// Who listens to what.
#[derive(Default)]
pub(super) struct Ears {
    by_channel: Mutex<HashMap<String, Listeners>>,
    next: AtomicU64,
    /// Told when somebody comes or goes, or wants to catch up.
    changed: Notify,
    /// Those that have missed something.
    behind: Mutex<Vec<Arc<dyn Ear>>>,
}

impl Ears {
    pub(super) fn watch(self: &Arc<Self>, channel: String, ear: Weak<dyn Ear>) -> Watch {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut by_channel = self.by_channel.lock();
        by_channel
            .entry(channel.clone())
            .or_default()
            .push((id, ear));
        drop(by_channel);
        self.changed.notify_one();
        let ears = self.clone();
        Watch::new(move || ears.end(&channel, id))
    }

    fn end(&self, channel: &str, id: u64) {
        let mut by_channel = self.by_channel.lock();
        if let Some(ears) = by_channel.get_mut(channel) {
            ears.retain(|(other, _)| *other != id);
            if ears.is_empty() {
                by_channel.remove(channel);
            }
        }
        drop(by_channel);
        self.changed.notify_one();
    }

    pub(super) fn catch_up(&self, ear: Arc<dyn Ear>) {
        self.behind.lock().push(ear);
        self.changed.notify_one();
    }

    pub(super) fn of(&self, channel: &str) -> Vec<Arc<dyn Ear>> {
        let by_channel = self.by_channel.lock();
        let ears = by_channel.get(channel).into_iter().flatten();
        ears.filter_map(|(_, ear)| ear.upgrade()).collect()
    }

    /// All ears that there are, by their ids, and their channels.
    fn all(&self) -> Vec<(u64, String, Arc<dyn Ear>)> {
        let by_channel = self.by_channel.lock();
        let each = by_channel
            .iter()
            .flat_map(|(channel, ears)| ears.iter().map(move |(id, ear)| (*id, channel, ear)));
        each.filter_map(|(id, channel, ear)| Some((id, channel.clone(), ear.upgrade()?)))
            .collect()
    }
}

/// Sees to it that what ears listen to is what Redis tells this server.
pub(super) struct Subscriber {
    link: Arc<Link>,
    ears: Arc<Ears>,
    /// Where those that are behind catch up.
    reads: Pool,
    /// Channels that the connection of this number tells.
    heard: HashSet<String>,
    line: Option<u64>,
    /// Ears that know how things stand: that they hear, or that nothing is heard.
    told: HashSet<u64>,
    /// There is a connection, and Redis does not let it listen.
    deaf: bool,
}

impl Subscriber {
    pub(super) fn new(link: Arc<Link>, ears: Arc<Ears>, reads: Pool) -> Self {
        Self {
            link,
            ears,
            reads,
            heard: HashSet::new(),
            line: None,
            told: HashSet::new(),
            deaf: false,
        }
    }

    /// For ever.
    pub(super) async fn run(mut self) {
        let (link, ears) = (self.link.clone(), self.ears.clone());
        let mut changes = link.changes();
        // It may have connected before this began.
        changes.mark_changed();
        loop {
            tokio::select! {
                _ = changes.changed() => {}
                () = ears.changed.notified() => {}
                // Whose it was is not known.
                () = link.missed.notified() => self.told.clear(),
            }
            let line = changes.borrow_and_update().clone();
            let number = line.as_ref().map(|line| line.number);
            if number != self.line {
                self.line = number;
                self.heard.clear();
                self.told.clear();
            }
            match line {
                Some(line) => {
                    let listening = self.listen(line).await;
                    link.troubles.listening(listening.as_ref().err());
                    if listening.is_err() {
                        link.doubt();
                        self.go_deaf().await;
                        sleep(PAUSE).await;
                        ears.changed.notify_one();
                    }
                }
                None => self.cut_off().await,
            }
            let behind = mem::take(&mut *ears.behind.lock());
            for ear in behind {
                self.send_to_read(ear).await;
            }
        }
    }

    /// Makes the connection tell what is listened to, and nothing else; then those catch up that are new.
    async fn listen(&mut self, mut line: Line) -> RedisResult<()> {
        let all = self.ears.all();
        let wanted: HashSet<_> = all.iter().map(|(_, channel, _)| channel.as_str()).collect();
        let unwanted = self.heard.iter().map(String::as_str);
        let unwanted: Vec<_> = unwanted
            .filter(|channel| !wanted.contains(channel))
            .collect();
        let missing: Vec<_> = wanted
            .iter()
            .copied()
            .filter(|channel| !self.heard.contains(*channel))
            .collect();
        for channels in unwanted.chunks(CHANNELS) {
            line.connection.unsubscribe(channels).await?;
        }
        for channels in missing.chunks(CHANNELS) {
            line.connection.subscribe(channels).await?;
        }
        self.heard = wanted.into_iter().map(str::to_owned).collect();
        if mem::take(&mut self.deaf) {
            self.told.clear();
        }
        let mut known = HashSet::new();
        for (id, _, ear) in all {
            known.insert(id);
            if !self.told.contains(&id) {
                self.send_to_read(ear).await;
            }
        }
        self.told = known;
        Ok(())
    }

    /// Tells the ears that nothing is heard, or those that wait to hear would wait for ever.
    async fn go_deaf(&mut self) {
        // What Redis has done of it is not known.
        self.heard.clear();
        if !mem::replace(&mut self.deaf, true) {
            self.told.clear();
        }
        self.cut_off().await;
    }

    async fn cut_off(&mut self) {
        let mut known = HashSet::new();
        for (id, _, ear) in self.ears.all() {
            known.insert(id);
            if !self.told.contains(&id) {
                ear.cut_off().await;
            }
        }
        self.told = known;
    }

    /// Has it catch up, when there is space: thousands may have to at once.
    async fn send_to_read(&self, ear: Arc<dyn Ear>) {
        // An error means that the pool is closed: the server ends.
        if let Ok(slot) = self.reads.slot().await {
            slot.spawn(ear.catch_up());
        }
    }
}

/// Tells ears what comes, in order, as fast as they take it.
pub(super) async fn dispatch(mut pushes: Receiver<PushInfo>, ears: Arc<Ears>) {
    while let Some(push) = pushes.recv().await {
        match push.kind {
            PushKind::Message | PushKind::SMessage => {
                let Some((channel, bytes)) = content(&push.data) else {
                    continue;
                };
                let room = keys::room_of(&channel).unwrap_or_default();
                let Some(heard) = announcement::decode(&room, bytes) else {
                    tracing::debug!(channel, "an announcement that nobody understands");
                    continue;
                };
                for ear in ears.of(&channel) {
                    ear.hear(heard.clone()).await;
                }
            }
            // A cluster has moved the room, or a part of it came back.
            PushKind::SSubscribe => {
                let channel = push.data.first().map(String::from_redis_value_ref);
                for ear in channel
                    .and_then(Result::ok)
                    .map_or(Vec::new(), |channel| ears.of(&channel))
                {
                    ears.catch_up(ear);
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
