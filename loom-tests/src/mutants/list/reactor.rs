//! Workers and the reactor.

use crate::mutants::Killer::{Model, Test};
use crate::mutants::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        invariant: "I14",
        fault: "a closure is run without handing the reactor over",
        file: "scheduler/running.rs",
        find: "        self.hand_over_reactor();\n        seat.serve(",
        replace: "        seat.serve(",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "the reactor is not rung for the one that waits in it",
        file: "parker.rs",
        find: "                if let Some(reactor) = &self.reactor {\n                    reactor.unpark();\n                }\n",
        replace: "",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "an event that brings work does not end the wait",
        file: "seat.rs",
        find: "                if let Some(shared) = &self.scheduler.settings.reactor {\n                    shared.reactor.unpark();\n                }\n",
        replace: "",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "two hold the reactor",
        file: "reactor.rs",
        find: "        if self.held.swap(true, Ordering::Acquire) {\n            return None;\n        }\n",
        replace: "",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "the reactor is not given back",
        file: "reactor.rs",
        find: "            self.shared.held.swap(false, Ordering::Release);",
        replace: "",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "a worker that an event woke counts as asleep",
        file: "worker.rs",
        find: "                Unparked::Event => {\n                    self.withdraw();\n                    break;",
        replace: "                Unparked::Event => {\n                    break;",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "the end of the pool does not reach the one in the reactor",
        file: "idle.rs",
        find: "            sleepers.extend(stack.in_reactor.take());\n",
        replace: "            sleepers.extend(None);\n",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "a submit does not reach the one in the reactor",
        file: "idle.rs",
        find: "self.sleepers.pop().or_else(|| self.in_reactor.take())",
        replace: "self.sleepers.pop()",
        killer: Model("reactor"),
    },
    Mutant {
        invariant: "I14",
        fault: "a busy worker does not look for events",
        file: "worker.rs",
        find: "                self.seat.poll(&held);",
        replace: "                drop(held);",
        killer: Test("tokio_reactor"),
    },
    Mutant {
        invariant: "I3",
        fault: "a parker sleeps although it was notified",
        file: "parker.rs",
        find: "        if self.replace(AWAKE, place) {",
        replace: "        self.state.store(place, Ordering::Relaxed);\n        if true {",
        killer: Model("reactor"),
    },
];
