//! Futures beside closures.

use crate::mutants::Killer::Model;
use crate::mutants::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        invariant: "I15",
        fault: "a worker that occupies itself does not see to futures",
        file: "worker.rs",
        find: "            self.seat.scheduler.attend();\n",
        replace: "",
        killer: Model("lanes"),
    },
    Mutant {
        invariant: "I15",
        fault: "no thread is started for futures while all are occupied",
        file: "idle/census.rs",
        find: "self.live() < max || (lane == Lane::Futures && !has_extra && self.all_occupied())",
        replace: "self.live() < max",
        killer: Model("lanes"),
    },
    Mutant {
        invariant: "I15",
        fault: "a future wakes no worker while all are occupied",
        file: "idle/census.rs",
        find: "self.awake() < max || self.all_occupied()",
        replace: "self.awake() < max",
        killer: Model("lanes"),
    },
    Mutant {
        invariant: "I15",
        fault: "a thread that was too many still counts so after the limit rose",
        file: "idle.rs",
        find: "        stack.has_extra &= live > self.max();\n",
        replace: "",
        killer: Model("lanes"),
    },
    Mutant {
        invariant: "I15",
        fault: "more closures run at once than threads are allowed",
        file: "idle.rs",
        find: "            if census.occupied() >= self.max() {\n                return false;\n            }\n",
        replace: "",
        killer: Model("lanes"),
    },
    Mutant {
        invariant: "I15",
        fault: "a worker that sleeps still counts as occupied",
        file: "idle.rs",
        find: "        self.change(SLEEPING, was.counts());\n",
        replace: "        self.change(SLEEPING, if was.searching { SEARCHING } else { 0 });\n",
        killer: Model("wakeup"),
    },
    Mutant {
        invariant: "I15",
        fault: "a worker that sleeps does not look for closures that it may run",
        file: "worker.rs",
        find: "\n            || (scheduler.queues.has_work(Lane::Closures) && scheduler.idle.may_occupy())",
        replace: "",
        killer: Model("wakeup"),
    },
    Mutant {
        invariant: "I6",
        fault: "a worker that is too many still counts as occupied",
        file: "idle.rs",
        find: "            self.change(SEARCHING, was.counts());\n",
        replace: "            self.change(if was.searching { 0 } else { SEARCHING }, 0);\n",
        killer: Model("threads"),
    },
    Mutant {
        invariant: "I14",
        fault: "what a task of the reactor submits is not shown to the others",
        file: "scheduler.rs",
        find: "            Kept::ByEvent => self.notify_by_event(Lane::Closures),\n",
        replace: "            Kept::ByEvent => {}\n",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "figures",
        fault: "a task counts as running before it is claimed",
        file: "scheduler/running.rs",
        find: "        let begun = || seat.serve(Doing::Closure, entrance.id());\n",
        replace: "        seat.serve(Doing::Closure, entrance.id());\n        let begun = || ();\n",
        killer: Model("figures"),
    },
];
