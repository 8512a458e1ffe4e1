//! Statistics, and the model deques.

use crate::mutants::Killer::Model;
use crate::mutants::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        invariant: "figures",
        fault: "a sleeping worker counts as running",
        file: "engine/scheduler.rs",
        find: "doings.closures + doings.futures",
        replace: "threads",
        killer: Model("figures"),
    },
    Mutant {
        invariant: "figures",
        fault: "tasks in a local queue do not count as queued",
        file: "engine/queues.rs",
        find: "normal + local(Lane::Closures)",
        replace: "normal",
        killer: Model("figures"),
    },
    Mutant {
        invariant: "deques",
        fault: "a steal takes more than half of a queue",
        file: "sync/deque_ordered.rs",
        find: "len.div_ceil(2)",
        replace: "len",
        killer: Model("deques"),
    },
    Mutant {
        invariant: "deques",
        fault: "the newest task is taken first",
        file: "sync/deque_plain.rs",
        find: "self.0.lock().pop_front()",
        replace: "self.0.lock().pop_back()",
        killer: Model("deques"),
    },
];
