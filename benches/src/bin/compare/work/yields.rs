//! Futures that yield: what does it cost to be woken and polled again?

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::{CPU_NS, Case, Plan, Runner, Shown, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::{Anthill, AsyncExecutor, Bounded, Futures, Tokio};

/// How often each future yields.
const YIELDS: u32 = 100;

pub(super) const WORK: Work = Work {
    name: "yield",
    about: "Futures that yield 100 times each, at capacity 1,000",
    cases,
    label: unnamed,
    runners,
    max_rounds: usize::MAX,
    counts_allocations: true,
    is_server: false,
    shown: &[
        Shown {
            figure: "ns_per_task",
            heading: "ns a yield",
            unit: YIELDS as f64,
            more_is_better: false,
        },
        Shown {
            heading: "CPU ns a yield",
            unit: YIELDS as f64,
            ..CPU_NS
        },
        super::ALLOCATIONS,
        super::BYTES,
    ],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let tasks = plan.effort.of(50_000, 5_000, 100);
    vec![Case::new(plan.threads, tasks).capacity(1_000)]
}

fn runners() -> Vec<Runner> {
    vec![
        Runner::of::<Anthill>(run::<Anthill>),
        Runner::of::<Bounded<AsyncExecutor>>(run::<Bounded<AsyncExecutor>>),
        Runner::of::<Bounded<Tokio>>(run::<Bounded<Tokio>>),
    ]
}

fn run<P: Futures>(case: &Case) -> io::Result<Figures> {
    let pool = super::leaked::<P>(case);
    measure(case, |tally| {
        pool.spawn(async {
            for _ in 0..YIELDS {
                yield_once().await;
            }
            tally.ran();
        });
    })
}

/// Yields the same way on every executor; tokio's `yield_now` defers the wake-up.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
