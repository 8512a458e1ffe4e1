//! The operations on a pool, and how often each is generated.

use std::time::Duration;

use proptest::prelude::*;

/// The settings of a new pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) capacity: usize,
    pub(crate) min_threads: usize,
    pub(crate) max_threads: usize,
    pub(crate) idle_expiry: Duration,
    pub(crate) nonblocking: bool,
    pub(crate) max_waiting: usize,
}

/// How a task is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Try,
    Plain,
    /// With a deadline that has passed.
    Timeout,
    /// By a future that is polled by hand.
    Async,
}

/// What a submitter asks for its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The number of slots.
    pub(crate) slots: usize,
    /// Whether the task has expired when it is submitted.
    pub(crate) late: bool,
}

impl Terms {
    pub(crate) const DEFAULT: Self = Self {
        slots: 1,
        late: false,
    };
}

/// What is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Closure,
    Future,
    ClosureWithHandle,
    FutureWithHandle,
    /// A closure to this strand.
    OfStrand(usize),
}

impl Kind {
    pub(crate) fn is_future(self) -> bool {
        matches!(self, Self::Future | Self::FutureWithHandle)
    }

    pub(crate) fn has_handle(self) -> bool {
        matches!(self, Self::ClosureWithHandle | Self::FutureWithHandle)
    }
}

/// The number of strands.
pub(crate) const STRANDS: usize = 2;

/// An operation on one task or its submitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Polls an async submit again.
    Poll,
    /// Drops an async submit.
    GiveUp,
    /// Lets a running task return.
    Return,
    /// Lets a running task panic.
    Panic,
    /// Lets a future that is being polled return `Pending`.
    Suspend,
    /// Wakes a future, suspended or not.
    Wake,
    /// Drops the waker of a future, suspended or not.
    Forget,
    /// Cancels by the handle.
    Cancel,
    /// Waits for the handle if the task has ended, else drops the handle.
    LetGo,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Submits a task. With a number, the submit happens inside the running task with that number,
    /// if there is one.
    Submit(Way, Kind, Terms, Option<usize>),
    /// Applies the operation to one of the tasks that it can be applied to. The number is taken
    /// modulo their count. Without such a task nothing happens.
    On(Act, usize),
    Tune(usize),
    TuneThreads(usize, usize),
    Close,
    Discard,
    Reopen,
    Shutdown,
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    (
        1..=4_usize,
        prop_oneof![3 => Just(1_usize), 2 => 2..=4_usize],
        0..=2_usize,
        prop_oneof![Just(Duration::MAX), Just(Duration::ZERO)],
        prop::bool::weighted(0.1),
        prop_oneof![2 => Just(usize::MAX), 1 => 0..=3_usize],
    )
        .prop_map(
            |(capacity, max_threads, min_threads, idle_expiry, nonblocking, max_waiting)| {
                Settings {
                    capacity,
                    min_threads: min_threads.min(max_threads),
                    max_threads,
                    idle_expiry,
                    nonblocking,
                    max_waiting,
                }
            },
        )
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let inside = prop_oneof![5 => Just(None), 1 => number().prop_map(Some)];
    prop_oneof![
        30 => (way(), kind(), terms(), inside).prop_map(|(way, kind, terms, inside)| {
            // A future that submits is polled by the test and not by a task.
            Op::Submit(way, kind, terms, inside.filter(|_| way != Way::Async))
        }),
        55 => (act(), number()).prop_map(|(act, number)| Op::On(act, number)),
        5 => capacity().prop_map(Op::Tune),
        3 => (0..=3_usize, 0..=4_usize).prop_map(|(min, max)| Op::TuneThreads(min, max)),
        1 => Just(Op::Close),
        2 => Just(Op::Discard),
        9 => Just(Op::Reopen),
        1 => Just(Op::Shutdown),
    ]
}

/// Generates an index, taken modulo the number of candidates.
fn number() -> impl Strategy<Value = usize> {
    0..12_usize
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        2 => Just(Way::Try),
        5 => Just(Way::Plain),
        1 => Just(Way::Timeout),
        3 => Just(Way::Async),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Closure),
        3 => Just(Kind::Future),
        4 => Just(Kind::ClosureWithHandle),
        4 => Just(Kind::FutureWithHandle),
        3 => (0..STRANDS).prop_map(Kind::OfStrand),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let slots = prop_oneof![3 => Just(1_usize), 2 => 2..=4_usize];
    let other = (slots, prop::bool::weighted(0.4)).prop_map(|(slots, late)| Terms { slots, late });
    prop_oneof![2 => Just(Terms::DEFAULT), 1 => other]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => Just(Act::Return),
        4 => Just(Act::Panic),
        10 => Just(Act::Suspend),
        8 => Just(Act::Wake),
        3 => Just(Act::Forget),
        8 => Just(Act::Cancel),
        3 => Just(Act::LetGo),
        5 => Just(Act::Poll),
        3 => Just(Act::GiveUp),
    ]
}

fn capacity() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..=5_usize,
        1 => Just(usize::MAX),
        // The largest limited capacity, and the first unlimited.
        1 => Just((1 << 31) - 2),
        1 => Just((1 << 31) - 1),
    ]
}
