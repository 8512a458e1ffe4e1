//! What a pool tells of itself, and what stands in for the deques in its models.

use crate::mutants::Killer::Model;
use crate::mutants::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        invariant: "figures",
        fault: "a worker that sleeps counts as running",
        file: "engine/scheduler.rs",
        find: "            running: doings.closures + doings.futures,\n",
        replace: "            running: threads,\n",
        killer: Model("figures"),
    },
    Mutant {
        invariant: "figures",
        fault: "what a worker took along does not count as queued",
        file: "engine/queues.rs",
        find: "\n            + self.claimed().iter().map(Stealers::len).sum::<usize>()",
        replace: "",
        killer: Model("figures"),
    },
    Mutant {
        invariant: "deques",
        fault: "a thief takes more than half of a queue",
        file: "sync/deque_ordered.rs",
        find: "    len.div_ceil(2).min(limit)",
        replace: "    len.min(limit)",
        killer: Model("deques"),
    },
    Mutant {
        invariant: "deques",
        fault: "the newest comes out first",
        file: "sync/deque_plain.rs",
        find: "    pub(crate) fn pop(&self) -> Option<T> {\n        self.0.lock().pop_front()",
        replace: "    pub(crate) fn pop(&self) -> Option<T> {\n        self.0.lock().pop_back()",
        killer: Model("deques"),
    },
];
