//! Each of these tests needs a process to itself, because it forks, limits the address space, sends
//! signals, installs a global subscriber or panic hook, or measures the threads and the memory of
//! the process. Each runs itself again in a child process, so that all share a binary.

mod child;
#[cfg(feature = "tracing")]
mod console;
#[cfg(target_os = "linux")]
mod fork;
#[cfg(feature = "tracing")]
mod hostile_subscriber;
#[cfg(target_os = "linux")]
mod kth_thread;
mod lives;
#[cfg(all(unix, feature = "tokio"))]
mod signal;
#[cfg(feature = "tracing")]
mod spans;
mod stress;
#[path = "../support/mod.rs"]
mod support;
