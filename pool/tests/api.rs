//! What a user of the types counts on: that they go between threads, can be shared, printed, and kept in errors.

use std::error::Error;
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

use anthill::{
    Balance, BuildError, Builder, FnPool, Group, GroupError, GroupResults, Histogram, JoinError,
    JoinHandle, MultiPool, MultiShutdownError, NamedFuture, Pool, Reentrancy, ReopenError, Scope,
    ShutdownError, Slot, Stats, Strand, Strands, SubmitError, TaskPanic, Times, Unfinished,
};

fn shared<T: Send + Sync + Debug>() {}
fn boxed<T: Error + Send + Sync + 'static>() {}
fn cloned<T: Clone>() {}
fn sent<T: Send>(_: &T) {}
fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

/// A task that can be sent and not shared, as most that own something.
type Task = std::cell::Cell<u8>;

#[test]
fn handles_are_sent_shared_and_printed() {
    shared::<Pool>();
    shared::<MultiPool>();
    shared::<FnPool<Task>>();
    shared::<Strand>();
    shared::<Strands<String>>();
    shared::<Slot>();
    shared::<Group<Task>>();
    shared::<GroupResults<u8>>();
    shared::<JoinHandle<Task>>();
    shared::<Scope<'_, '_>>();
    shared::<NamedFuture<std::future::Ready<u8>>>();
    shared::<TaskPanic>();
    shared::<Builder>();
    shared::<(Stats, Times, Histogram, Unfinished, Balance, Reentrancy)>();
}

#[test]
fn those_that_are_handles_of_something_shared_are_cloned() {
    cloned::<Pool>();
    cloned::<MultiPool>();
    cloned::<FnPool<Task>>();
    cloned::<Strand>();
    cloned::<Strands<Task>>();
    cloned::<Builder>();
}

#[test]
fn a_wait_may_go_on_on_another_thread() {
    let pool = Pool::builder().build().unwrap();
    sent(&pool.submit_async(|| ()));
    sent(&pool.spawn_async(async {}));
    sent(&pool.slot_async());
    sent(&pool.shutdown_async());
    let shards = Pool::builder().build_multi(2, Balance::RoundRobin).unwrap();
    sent(&shards.submit_async(|| ()));
    sent(&shards.spawn_async(async {}));
}

#[test]
fn every_error_goes_into_a_box_that_is_sent_and_shared() {
    boxed::<BuildError>();
    boxed::<SubmitError<()>>();
    boxed::<SubmitError<String>>();
    boxed::<JoinError>();
    boxed::<GroupError<std::io::Error>>();
    boxed::<ShutdownError>();
    boxed::<MultiShutdownError>();
    boxed::<ReopenError>();
}

#[test]
fn a_handle_may_be_used_after_a_panic_was_caught() {
    unwind_safe::<Pool>();
    unwind_safe::<MultiPool>();
    unwind_safe::<Strand>();
    unwind_safe::<FnPool<u8>>();
    unwind_safe::<Strands<u8>>();
    unwind_safe::<Group<u8>>();
    unwind_safe::<JoinHandle<u8>>();
    unwind_safe::<Slot>();
    unwind_safe::<Scope<'_, '_>>();
}
