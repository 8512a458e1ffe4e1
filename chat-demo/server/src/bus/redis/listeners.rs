//! The listeners of each channel, and the dispatch of announcements to them.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use redis::{FromRedisValue, PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;

use super::announcement;
use super::keys;
use crate::bus::{BusListener, Watch};

/// The listeners of one channel, with their ids.
type OfChannel = Vec<(u64, Weak<dyn BusListener>)>;

/// A listener with its id and its channel.
pub(super) type Registered = (u64, String, Arc<dyn BusListener>);

/// The listeners of all channels.
#[derive(Default)]
pub(super) struct Listeners {
    by_channel: Mutex<HashMap<String, OfChannel>>,
    next: AtomicU64,
    /// Notified when a listener is added, removed, or must catch up.
    pub(super) changed: Notify,
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

    /// Returns the listeners that must catch up since the last call.
    pub(super) fn take_behind(&self) -> Vec<Arc<dyn BusListener>> {
        mem::take(&mut *self.behind.lock())
    }

    pub(super) fn of(&self, channel: &str) -> Vec<Arc<dyn BusListener>> {
        let by_channel = self.by_channel.lock();
        let listeners = by_channel.get(channel).into_iter().flatten();
        listeners
            .filter_map(|(_, listener)| listener.upgrade())
            .collect()
    }

    pub(super) fn all(&self) -> Vec<Registered> {
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
