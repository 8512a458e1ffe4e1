//! Checks whether the calling thread may block.

/// Panics if the calling thread drives async tasks of tokio, which would all stall while it blocks.
/// Call it before a thread blocks. Without the feature `tokio` it does nothing.
#[cfg(all(feature = "tokio", not(any(anthill_loom, anthill_shuttle))))]
pub fn check() {
    if let Ok(handle) = tokio::runtime::Handle::try_current() {
        // tokio panics with a clear message if the thread is inside `block_on` or polls a task.
        handle.block_on(std::future::ready(()));
    }
}

#[cfg(not(all(feature = "tokio", not(any(anthill_loom, anthill_shuttle)))))]
pub fn check() {}

/// Returns whether blocking the calling thread might stall async tasks of tokio.
#[cfg(all(feature = "tokio", not(any(anthill_loom, anthill_shuttle))))]
pub fn might_stall_tasks() -> bool {
    use tokio::runtime::{Handle, RuntimeFlavor};
    tokio::task::try_id().is_some()
        || Handle::try_current()
            .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

#[cfg(not(all(feature = "tokio", not(any(anthill_loom, anthill_shuttle)))))]
pub fn might_stall_tasks() -> bool {
    false
}
