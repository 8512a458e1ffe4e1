//! Orderings that are weakened, one side at a time.

use crate::mutants::Killer::Model;
use crate::mutants::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        invariant: "order",
        fault: "who takes a slot does not acquire what was released with it",
        file: "slots.rs",
        find: "word.0 + ONE,\n                Ordering::Acquire,",
        replace: "word.0 + ONE,\n                Ordering::Relaxed,",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "a slot comes back without a release",
        file: "slots.rs",
        find: "fetch_add(ONE, Ordering::AcqRel)",
        replace: "fetch_add(ONE, Ordering::Acquire)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "who collects slots does not acquire what was released with them",
        file: "slots.rs",
        find: "fetch_and(!COUNT_MASK, Ordering::Acquire)",
        replace: "fetch_and(!COUNT_MASK, Ordering::Relaxed)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "collected slots are given to others without a release",
        file: "slots.rs",
        find: "fetch_sub(count, Ordering::Release)",
        replace: "fetch_sub(count, Ordering::Relaxed)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "who finds a subpool drained does not acquire what its tasks did",
        file: "slots.rs",
        find: "Word(self.left.load(Ordering::Acquire))",
        replace: "Word(self.left.load(Ordering::Relaxed))",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "a wait is settled without a release",
        file: "waiter.rs",
        find: "self.state.store(state, Ordering::Release)",
        replace: "self.state.store(state, Ordering::Relaxed)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "an outcome is looked at without an acquire",
        file: "waiter.rs",
        find: "self.state.load(Ordering::Acquire)",
        replace: "self.state.load(Ordering::Relaxed)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "a notification is taken without an acquire",
        file: "parker.rs",
        find: ".compare_exchange(current, new, Ordering::Acquire, Ordering::Relaxed)",
        replace: ".compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "order",
        fault: "a notification is given without a release",
        file: "parker.rs",
        find: "swap(NOTIFIED, Ordering::Release)",
        replace: "swap(NOTIFIED, Ordering::Relaxed)",
        killer: Model("order"),
    },
    Mutant {
        invariant: "I13",
        fault: "no fence between a change of `open` or the census and a look at the other",
        file: "scheduler.rs",
        find: "        fence(Ordering::SeqCst);\n        if !self.has_ended()",
        replace: "        if !self.has_ended()",
        killer: Model("reopen"),
    },
];
