//! Who is in which room, in Redis. What a server has put down is forgotten after a time unless it says it again, so those
//! of a server that is gone vanish.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use redis::RedisResult;
use tokio::sync::Notify;
use tokio::time::interval;

use super::Shared;
use super::keys::Keys;
use super::topology::Connection;
use crate::bus::Away;
use crate::clock;
use crate::frame::Kind;

/// Members that are put down at one moment.
const AT_ONCE: usize = 256;

/// A connection's number, and its user.
type Member = (u64, Arc<str>);
type ByRoom = HashMap<Arc<str>, HashMap<u64, Arc<str>>>;

/// The members on this server.
#[derive(Default)]
pub(super) struct Members {
    here: Mutex<ByRoom>,
    /// Those that went, and Redis does not know yet.
    gone: Mutex<ByRoom>,
    went: Notify,
}

impl Members {
    /// Puts a member down. It is put down again later, also if that fails now.
    pub(super) async fn enter(
        &self,
        shared: &Shared,
        room: &Arc<str>,
        id: u64,
        user: &Arc<str>,
    ) -> Result<u32, Away> {
        insert(&self.here, room, id, user.clone());
        let mut connection = shared.link.now()?.connection;
        let came = [(id, user.clone())];
        let count = change(shared, &mut connection, room, &came, &[]).await;
        count.map_err(|error| shared.link.failed(&error))
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

    /// Tells Redis who went, and again and again who is there. For ever.
    pub(super) async fn keep(&self, shared: &Shared) {
        let mut ticks = interval(shared.time_to_live / 3);
        let mut changes = shared.link.changes();
        loop {
            tokio::select! {
                _ = ticks.tick() => self.renew(shared).await,
                // Redis may come back without what it had.
                _ = changes.changed() => self.renew(shared).await,
                () = self.went.notified() => {}
            }
            self.forget(shared).await;
        }
    }

    /// Forgets those that went. Who cannot be forgotten now is when the time is over.
    pub(super) async fn forget(&self, shared: &Shared) {
        let gone = mem::take(&mut *self.gone.lock());
        for (room, members) in gone {
            say(shared, &room, members, false).await;
        }
    }

    async fn renew(&self, shared: &Shared) {
        let here = self.here.lock().clone();
        for (room, members) in here {
            // Those that go meanwhile are forgotten right after.
            say(shared, &room, members, true).await;
        }
    }
}

fn insert(rooms: &Mutex<ByRoom>, room: &Arc<str>, id: u64, user: Arc<str>) {
    let mut rooms = rooms.lock();
    rooms.entry(room.clone()).or_default().insert(id, user);
}

/// Says of members that they are there, or that they went.
async fn say(shared: &Shared, room: &str, members: HashMap<u64, Arc<str>>, there: bool) {
    let members: Vec<_> = members.into_iter().collect();
    for some in members.chunks(AT_ONCE) {
        let Ok(mut line) = shared.link.now() else {
            return;
        };
        let (come, go): (&[Member], &[Member]) = if there { (some, &[]) } else { (&[], some) };
        if let Err(error) = change(shared, &mut line.connection, room, come, go).await {
            shared.link.failed(&error);
        }
    }
}

/// Changes who is in a room; how many are then.
async fn change(
    shared: &Shared,
    connection: &mut Connection,
    room: &str,
    come: &[Member],
    go: &[Member],
) -> RedisResult<u32> {
    let keys = Keys::of(room);
    let mut call = shared.scripts.members.key(keys.members());
    call.key(keys.users())
        .arg(clock::millis(shared.time_to_live))
        .arg(keys.channel.as_str())
        .arg(shared.publish)
        .arg(&[Kind::PRESENCE.0][..])
        .arg(shared.presence_limit)
        .arg(come.len());
    for (id, user) in come.iter().chain(go) {
        call.arg(format!("{}/{id}", shared.server)).arg(&**user);
    }
    call.invoke_async(connection).await
}
