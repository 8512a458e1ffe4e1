//! The members of each room, in Redis. Entries expire unless their server renews them, so the
//! members of a dead server disappear.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use chat_demo_client::frame::Kind;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use redis::RedisResult;
use tokio::sync::Notify;
use tokio::time::interval;

use super::keys::Keys;
use super::listeners::Listeners;
use super::shared::Shared;
use super::topology::Connection;
use crate::bus::{BusEvent, BusUnavailable};
use crate::clock;
use crate::epoch::{Epoch, Position};

/// The most members in one command.
const AT_ONCE: usize = 256;
/// How many rooms are renewed at a time: those of a part of a cluster that is down wait for long.
const ROOMS: usize = 64;

/// A connection's number, and its user.
type Member = (u64, Arc<str>);
type ByRoom = HashMap<Arc<str>, HashMap<u64, Arc<str>>>;

#[derive(Default)]
pub(super) struct Members {
    here: Mutex<ByRoom>,
    /// Members that left, and whose removal Redis has not confirmed.
    gone: Mutex<ByRoom>,
    went: Notify,
}

impl Members {
    /// Registers a member. If that fails now, the next renewal registers it.
    pub(super) async fn enter(
        &self,
        shared: &Shared,
        room: &Arc<str>,
        id: u64,
        user: &Arc<str>,
    ) -> Result<u32, BusUnavailable> {
        insert(&self.here, room, id, user.clone());
        let mut connection = shared.link.now()?.connection;
        let came = [(id, user.clone())];
        let changed = change(shared, &mut connection, room, &came, &[]).await;
        let changed = changed.map_err(|error| shared.link.failed(&error))?;
        let here = self.here.lock().get(room).map_or(0, HashMap::len);
        if (changed.count as usize) < here {
            // Redis has lost the entry.
            return self.restore(shared, room).await;
        }
        Ok(changed.count)
    }

    /// Puts all members of a room down again that are on this server.
    pub(super) async fn restore(
        &self,
        shared: &Shared,
        room: &Arc<str>,
    ) -> Result<u32, BusUnavailable> {
        let here = self.here.lock().get(room).cloned();
        let changed = say(shared, room, here.unwrap_or_default(), true).await;
        changed.map(|changed| changed.count).ok_or(BusUnavailable)
    }

    /// Whether one of those on this server is not among the users.
    pub(super) fn are_missing_in(&self, room: &str, users: &[String]) -> bool {
        let here = self.here.lock();
        let Some(members) = here.get(room) else {
            return false;
        };
        let listed: HashSet<_> = users.iter().map(String::as_str).collect();
        members.values().any(|user| !listed.contains(&**user))
    }

    pub(super) fn leave(&self, room: &Arc<str>, id: u64) {
        let mut here = self.here.lock();
        let Some(members) = here.get_mut(room) else {
            return;
        };
        let user = members.remove(&id);
        if members.is_empty() {
            here.remove(room);
        }
        drop(here);
        if let Some(user) = user {
            insert(&self.gone, room, id, user);
            self.went.notify_one();
        }
    }

    /// Removes members that left and renews the rest, until the server ends.
    pub(super) async fn keep(self: Arc<Self>, shared: Arc<Shared>, listeners: Arc<Listeners>) {
        let mut ticks = interval(shared.time_to_live / 3);
        let mut changes = shared.link.changes();
        loop {
            tokio::select! {
                _ = ticks.tick() => self.renew(&shared, &listeners).await,
                // Redis may have lost its data.
                _ = changes.changed() => self.renew(&shared, &listeners).await,
                () = self.went.notified() => {}
            }
            self.forget(&shared).await;
        }
    }

    /// Removes members that left and did not rejoin. Members that cannot be removed now expire.
    pub(super) async fn forget(&self, shared: &Shared) {
        let gone = mem::take(&mut *self.gone.lock());
        let rooms = stream::iter(gone);
        let forgotten = rooms.for_each_concurrent(ROOMS, async |(room, mut members)| {
            members.retain(|id, _| !self.has(&room, *id));
            if members.is_empty() {
                return;
            }
            say(shared, &room, members.clone(), false).await;
            // Members that rejoined meanwhile may have been registered before the removal.
            members.retain(|id, _| self.has(&room, *id));
            if !members.is_empty() {
                say(shared, &room, members, true).await;
            }
        });
        forgotten.await;
    }

    fn has(&self, room: &str, id: u64) -> bool {
        let here = self.here.lock();
        here.get(room)
            .is_some_and(|members| members.contains_key(&id))
    }

    async fn renew(&self, shared: &Shared, listeners: &Listeners) {
        let here = self.here.lock().clone();
        let rooms = stream::iter(here);
        let renewed = rooms.for_each_concurrent(ROOMS, async |(room, members)| {
            // Members that leave meanwhile are removed afterwards.
            let changed = say(shared, &room, members, true).await;
            let Some(stand) = changed.and_then(|changed| changed.stand) else {
                return;
            };
            // The last announcement may have been lost, and the room silent since.
            for listener in listeners.of(&Keys::of(&room).channel) {
                listener.on_event(BusEvent::Stand(stand)).await;
            }
        });
        renewed.await;
    }
}

fn insert(rooms: &Mutex<ByRoom>, room: &Arc<str>, id: u64, user: Arc<str>) {
    let mut rooms = rooms.lock();
    rooms.entry(room.clone()).or_default().insert(id, user);
}

/// Says of members that they are there, or that they went; how things stand then, if Redis has said
/// so.
async fn say(
    shared: &Shared,
    room: &str,
    members: HashMap<u64, Arc<str>>,
    there: bool,
) -> Option<Changed> {
    let members: Vec<_> = members.into_iter().collect();
    let mut last = None;
    for some in members.chunks(AT_ONCE) {
        let mut line = shared.link.now().ok()?;
        let (come, go): (&[Member], &[Member]) = if there { (some, &[]) } else { (&[], some) };
        match change(shared, &mut line.connection, room, come, go).await {
            Ok(changed) => last = Some(changed),
            Err(error) => _ = shared.link.failed(&error),
        }
    }
    last
}

/// A room after a change of its members.
struct Changed {
    count: u32,
    /// Where the room stands, if it has an epoch.
    stand: Option<Position>,
}

async fn change(
    shared: &Shared,
    connection: &mut Connection,
    room: &str,
    come: &[Member],
    go: &[Member],
) -> RedisResult<Changed> {
    let keys = Keys::of(room);
    let keys_of = [keys.members(), keys.users(), keys.facts()];
    let mut call = shared.scripts.members.call(&keys_of);
    call.arg(clock::millis(shared.time_to_live))
        .arg(clock::millis(shared.remember))
        .arg(keys.channel.as_str())
        .arg(shared.publish)
        .arg(&[Kind::PRESENCE.0][..])
        .arg(shared.presence_limit)
        .arg(come.len());
    for (id, user) in come.iter().chain(go) {
        call.arg(format!("{}/{id}", shared.server)).arg(&**user);
    }
    let (count, epoch, seq): (u32, String, u64) = call.invoke(connection).await?;
    let stand = Epoch::parse(&epoch).map(|epoch| Position { epoch, seq });
    Ok(Changed { count, stand })
}
