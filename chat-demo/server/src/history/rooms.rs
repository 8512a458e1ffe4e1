//! Which rooms to remove when there are too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::log::{Log, is_in_use};

/// Of as many rooms as there may be, what is made free at once: to look for them costs more than to
/// forget them.
const FREED: usize = 8;

struct Idle {
    name: Arc<str>,
    at: Instant,
    /// The last publisher; `None` in a room without messages.
    speaker: Option<Arc<str>>,
}

/// Removes rooms without members beyond `most`. Rooms without messages go first. Then go the
/// longest silent rooms of the user who was the last publisher in most rooms. So a user who leaves
/// many rooms behind evicts no rooms of others.
pub(super) fn evict(logs: &mut HashMap<Arc<str>, Arc<Log>>, most: usize) -> Vec<Arc<Log>> {
    // Those in use may be many: they are not looked at until there are so many more.
    if logs.len() <= most {
        return Vec::new();
    }
    let mut idle: Vec<_> = logs
        .iter()
        .filter(|(_, log)| !is_in_use(log))
        .map(|(name, log)| {
            let past = log.past.lock();
            Idle {
                name: name.clone(),
                at: past.at,
                speaker: past.speaker.clone(),
            }
        })
        .collect();
    if idle.len() <= most {
        return Vec::new();
    }
    let excess = idle.len() - (most - most / FREED);
    idle.sort_unstable_by_key(|room| Reverse(room.at));
    let mut rooms_of = HashMap::new();
    let mut ranked: Vec<_> = idle
        .into_iter()
        .map(|room| {
            let rank = match &room.speaker {
                None => usize::MAX,
                Some(speaker) => {
                    let rooms = rooms_of.entry(speaker.clone()).or_insert(0);
                    *rooms += 1;
                    *rooms
                }
            };
            (Reverse(rank), room.at, room.name)
        })
        .collect();
    ranked.sort_unstable();
    let forgotten = ranked.into_iter().take(excess);
    forgotten
        .filter_map(|(_, _, name)| logs.remove(&name))
        .collect()
}
