//! The types implement `Send`, `Sync` and `Debug`, and every error converts with `?`.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Instant;

use anthill::{
    Balance, BuildError, Builder, Group, GroupError, GroupResults, Histogram, JoinError,
    JoinHandle, MultiPool, Pool, ReopenError, Reserve, Run, RunError, Scope, Shutdown,
    ShutdownError, ShutdownOnDrop, Slot, SlotError, Stats, Strand, Strands, SubmitError, TaskPanic,
    Times, Unfinished,
};

use crate::support::{PATIENCE, block_on};

fn shared<T: Send + Sync + Debug>() {}
fn boxed<T: Error + Send + Sync + 'static>() {}
fn cloned<T: Clone>() {}
fn sent<T: Send>(_: &T) {}
fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

/// A task that is `Send` and not `Sync`.
type Task = Cell<u8>;

/// What `main` of many programs returns.
type Fallible = Result<(), Box<dyn Error + Send + Sync>>;

#[test]
fn handles_are_send_sync_and_debug() {
    shared::<Pool>();
    shared::<MultiPool>();
    shared::<Strand>();
    shared::<Strands<String>>();
    shared::<Slot<'_>>();
    shared::<Group<Task>>();
    shared::<GroupResults<u8>>();
    shared::<JoinHandle<Task>>();
    shared::<Scope<'_, '_>>();
    shared::<TaskPanic>();
    shared::<Builder>();
    shared::<(Stats, Times, Histogram, Unfinished, Balance)>();
    shared::<Reserve<'_>>();
    shared::<Run<'_, fn() -> Task, Task>>();
    shared::<Shutdown<'_>>();
    shared::<ShutdownOnDrop>();
}

#[test]
fn shared_handles_can_be_cloned() {
    cloned::<Pool>();
    cloned::<MultiPool>();
    cloned::<Strand>();
    cloned::<Strands<Task>>();
    cloned::<Builder>();
}

#[test]
fn wait_may_move_to_another_thread() {
    let cell = Cell::new(1);
    let pool = Pool::builder().build().unwrap();
    sent(&pool.slot());
    sent(&pool.run(move || cell));
    sent(&pool.shutdown());
    sent(&pool.strand().slot());
    sent(&pool.strand().run(|| Cell::new(1)));
    let shards = Pool::builder().build_multi(2, Balance::RoundRobin).unwrap();
    sent(&shards.slot());
    sent(&shards.run(|| Cell::new(1)));
    sent(&shards.shutdown());
}

#[test]
fn every_error_fits_a_box_of_send_and_sync() {
    boxed::<BuildError>();
    boxed::<SlotError>();
    boxed::<SubmitError<()>>();
    boxed::<SubmitError<Task>>();
    boxed::<RunError>();
    boxed::<JoinError>();
    boxed::<GroupError<std::io::Error>>();
    boxed::<ShutdownError>();
    boxed::<ReopenError>();
}

#[test]
fn handle_may_be_used_after_a_panic_was_caught() {
    unwind_safe::<Pool>();
    unwind_safe::<MultiPool>();
    unwind_safe::<Strand>();
    unwind_safe::<Strands<u8>>();
    unwind_safe::<Group<u8>>();
    unwind_safe::<JoinHandle<u8>>();
    unwind_safe::<Slot<'_>>();
    unwind_safe::<Scope<'_, '_>>();
}

/// Returns a closure that is not `Sync`.
fn closure() -> impl FnOnce() + Send + 'static {
    let cell = Cell::new(1);
    move || cell.set(2)
}

/// Returns a future that is not `Sync`.
async fn future() {
    let cell = Cell::new(1);
    std::future::ready(()).await;
    cell.set(2);
}

/// Calls every verb of the handle, each with `?`. Returns how many tasks it submits.
macro_rules! every_verb {
    ($handle:expr) => {{
        let handle = $handle;
        handle.submit(closure())?;
        handle.try_submit(closure())?;
        handle.submit_with_handle(closure())?.wait()?;
        handle.spawn(future())?;
        handle.try_spawn(future())?;
        handle.spawn_with_handle(future())?.await?;
        handle.run(closure()).wait()?;
        handle.run(closure()).wait_timeout(PATIENCE)?;
        handle
            .run(closure())
            .wait_deadline(Instant::now() + PATIENCE)?;
        handle.run(closure()).await?;
        handle.slot().wait()?.submit(closure());
        handle.slot().wait_timeout(PATIENCE)?.spawn(future());
        let slot = handle.slot().wait_deadline(Instant::now() + PATIENCE)?;
        slot.submit_with_handle(closure()).wait()?;
        let slot = handle.slot().await?;
        slot.spawn_with_handle(future()).await?;
        handle.try_slot()?.into_owned().submit(closure());
        15
    }};
}

#[test]
fn question_mark_works_on_every_verb() -> Fallible {
    block_on(async {
        let pool = Pool::builder().build()?;
        let submitted = every_verb!(&pool) + every_verb!(&pool.strand());
        pool.shutdown().await?;
        assert_eq!(pool.stats().completed, submitted);
        pool.reopen()?;
        pool.shutdown().wait_timeout(PATIENCE)?;

        let shards = Pool::builder().build_multi(2, Balance::RoundRobin)?;
        let submitted = every_verb!(&shards);
        shards.shutdown().await?;
        assert_eq!(shards.stats().completed, submitted);
        Ok(())
    })
}

#[test]
fn question_mark_works_in_a_scope_and_on_a_group() -> Fallible {
    let pool = Pool::builder().build()?;
    let (mut first, mut second) = (1, 1);
    pool.scope(|scope| -> Fallible {
        scope.submit(|| first += 1)?;
        scope.try_submit(closure())?;
        // `SubmitError` keeps the task, which borrows; a box needs an error that is `'static`.
        let submitted = scope.try_submit(|| second += 1);
        submitted.map_err(SlotError::from)?;
        Ok(())
    })?;
    assert_eq!((first, second), (2, 2));
    let mut group = Group::new();
    group.push(pool.submit_with_handle(|| "6".parse::<u8>())?);
    assert_eq!(group.wait().all()?, [6]);
    Ok(())
}

#[test]
fn refused_task_is_returned_with_its_reason() {
    let pool = Pool::builder().capacity(1).build().unwrap();
    let _held = pool.try_slot().unwrap();
    let cell = Cell::new(6);
    let refused = pool.try_submit(move || cell.set(7)).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    assert_eq!(refused.to_string(), SlotError::Full.to_string());
    refused.into_task()();
    let refused = pool.try_spawn(future()).unwrap_err();
    block_on(refused.into_task());
}

#[test]
fn question_mark_converts_refusals_to_slot_errors() {
    fn tries(pool: &Pool) -> Result<(), SlotError> {
        pool.try_submit(closure())?;
        Ok(())
    }
    fn tries_a_future(strand: &Strand) -> Result<(), SlotError> {
        strand.try_spawn(future())?;
        Ok(())
    }
    fn reserves(pool: &Pool) -> Result<(), RunError> {
        drop(pool.slot().wait()?);
        Ok(())
    }
    let pool = Pool::builder().capacity(1).build().unwrap();
    let held = pool.try_slot().unwrap();
    assert_eq!(tries(&pool), Err(SlotError::Full));
    assert_eq!(tries_a_future(&pool.strand()), Err(SlotError::Full));
    drop(held);
    pool.close();
    assert_eq!(tries(&pool), Err(SlotError::Closed));
    assert_eq!(tries_a_future(&pool.strand()), Err(SlotError::Closed));
    assert!(matches!(
        reserves(&pool),
        Err(RunError::Slot(SlotError::Closed))
    ));
}
