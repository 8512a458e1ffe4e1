//! The figures under load.

use std::time::{Duration, Instant, SystemTime};

use super::*;

fn read() -> Process {
    Process::read().expect("there is a /proc")
}

#[test]
fn work_takes_processor_time() {
    let (before, start) = (read().cpu_seconds, Instant::now());
    while read().cpu_seconds - before < 0.02 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "no time is counted"
        );
    }
}

#[test]
fn figures_of_the_process_are_plausible() {
    let now = read();
    assert!((1 << 20..now.virtual_bytes).contains(&now.resident_bytes));
    assert!((3..=now.max_files).contains(&now.open_files), "{now:?}");
    assert!(now.threads >= 1);
    let started = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(now.start_seconds);
    let age = SystemTime::now().duration_since(started);
    assert!(age.expect("it was in the past") < Duration::from_secs(24 * 60 * 60));
}

#[test]
fn threads_are_those_of_the_system() {
    let start = Instant::now();
    let listed = || fs::read_dir("/proc/self/task").expect("a folder").count();
    // Other tests start and end threads meanwhile.
    while read().threads != listed() as u64 {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", read());
    }
}

#[test]
fn memory_and_threads_that_are_taken_show() {
    let before = read();
    let memory = vec![1_u8; 64 << 20];
    let now = read();
    assert!(now.resident_bytes > before.resident_bytes + (32 << 20));
    assert_eq!(
        memory.iter().map(|&byte| u64::from(byte)).sum::<u64>(),
        64 << 20
    );
}
