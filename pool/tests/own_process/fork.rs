//! A forked process. A fork copies the locks of all threads of the process, so no other test may run.

use std::time::Duration;

use nix::libc::_exit;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::child::in_own_process;
use crate::support::pool;

#[test]
fn forked_child_has_no_workers_but_can_build_a_pool() {
    in_own_process(
        "fork::forked_child_has_no_workers_but_can_build_a_pool",
        || {
            let inherited = pool(4, 1);
            let task = inherited.submit_with_handle(|| 1).unwrap();
            assert_eq!(task.wait().unwrap(), 1);
            // SAFETY: No other thread of this process holds a lock that the child takes: the worker has run its task, and the
            // allocator has its locks released in the child.
            match unsafe { fork() }.unwrap() {
                ForkResult::Parent { child } => {
                    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
                    inherited.shutdown().wait().unwrap();
                }
                ForkResult::Child => {
                    let task = inherited.submit_with_handle(|| 2).unwrap();
                    let waits = task.wait_timeout(Duration::from_millis(20)).is_err();
                    let task = pool(4, 1).submit_with_handle(|| 3).unwrap();
                    let runs = matches!(task.wait(), Ok(3));
                    // SAFETY: `_exit` has no requirements. It runs no destructors, which would wait for threads that are not here.
                    unsafe { _exit(i32::from(!(waits && runs))) }
                }
            }
        },
    );
}
