//! Calls on a worker of the pool.

use std::sync::mpsc;

use anthill::Pool;

/// Calls `f` on a worker, where sockets and timers can be made, and returns its result.
///
/// Uses a channel because async code starts servers, too, and `JoinHandle::wait` panics there.
/// Blocks only for a moment.
pub(crate) fn on_worker<T>(service: &Pool, f: impl FnOnce() -> T + Send + 'static) -> T
where
    T: Send + 'static,
{
    let (sender, result) = mpsc::sync_channel(1);
    let called = service.submit(move || _ = sender.send(f()));
    called.expect("the server has few tasks of its own");
    result.recv().expect("nothing in it panics")
}
