//! Which rooms to remove when there are too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::log::{Log, is_in_use};

/// Of as many rooms as there may be, what is made free at once: to look for them costs more than to
/// forget them.
const FREED: usize = 8;

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
            (Reverse(past.at), name.clone(), past.speaker.clone())
        })
        .collect();
    if idle.len() <= most {
        return Vec::new();
    }
    let excess = idle.len() - (most - most / FREED);
    idle.sort_unstable();
    let mut rooms_of = HashMap::new();
    let mut ranked: Vec<_> = idle
        .into_iter()
        .map(|(Reverse(at), name, speaker)| {
            // A room without messages has no speaker.
            let rank = speaker.map_or(usize::MAX, |speaker| {
                let rooms = rooms_of.entry(speaker).or_insert(0);
                *rooms += 1;
                *rooms
            });
            (Reverse(rank), at, name)
        })
        .collect();
    ranked.sort_unstable();
    let forgotten = ranked.into_iter().take(excess);
    forgotten
        .filter_map(|(_, _, name)| logs.remove(&name))
        .collect()
}
