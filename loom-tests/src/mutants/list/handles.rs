//! Strands by key, shards, maps, and the token of a parked thread.

use crate::mutants::Killer::Model;
use crate::mutants::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        invariant: "I12",
        fault: "two first uses of a key make two strands",
        file: "strand/keyed.rs",
        find: "if let Some(strand) = map.get(hash, &key) {",
        replace: "if let Some(strand) = map.get(hash, &key).filter(|_| false) {",
        killer: Model("strand"),
    },
    Mutant {
        invariant: "I12",
        fault: "a strand that has tasks and no handle is removed",
        file: "strand/handle.rs",
        find: "Arc::strong_count(&self.0) == 1",
        replace: "Arc::strong_count(&self.0) <= 2",
        killer: Model("strand"),
    },
    Mutant {
        invariant: "shards",
        fault: "a full shard does not pass a submit on",
        file: "multi/handle.rs",
        find: "from.iter().chain(before)",
        replace: "from.iter().take(1).chain(&before[..0])",
        killer: Model("multi"),
    },
    Mutant {
        invariant: "shards",
        fault: "a submit gives up at a shard that is closed while it waits",
        file: "multi/handle.rs",
        find: "Err(SlotError::Closed | SlotError::TooMany) => {}",
        replace: "Err(SlotError::TooMany) => {}",
        killer: Model("multi"),
    },
    Mutant {
        invariant: "map",
        fault: "a closed pool's caller computes items before those in the pool",
        file: "map/iter.rs",
        find: "None if !self.chunks.has_no_task() => return,",
        replace: "None if false => return,",
        killer: Model("map"),
    },
    Mutant {
        invariant: "I4",
        fault: "a park that returns early ends the wait",
        file: "wait/parker.rs",
        find: "if expired {",
        replace: "if expired || place == ASLEEP {",
        killer: Model("waiting"),
    },
];
