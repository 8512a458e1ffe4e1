//! Pins each worker to its own core and counts the tasks that each worker ran.
//!
//! Worker `n` gets core `n`. With more workers than cores, the numbering starts again at the first
//! core.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};

use anthill::{Pool, worker_index};

fn main() -> Result<(), Box<dyn Error>> {
    let cores = core_affinity::get_core_ids().ok_or("cannot list the cores of this system")?;
    let count = cores.len();
    let pool = Pool::builder()
        .threads(0..=count)
        .on_thread_start(move |worker| {
            let core = cores[worker % cores.len()];
            if !core_affinity::set_for_current(core) {
                eprintln!(
                    "cannot pin worker {worker} to core {}: refused by the system",
                    core.id
                );
            }
        })
        .build()?;

    let ran = Arc::new(Mutex::new(BTreeMap::<usize, u32>::new()));
    for _ in 0..1000 {
        let ran = Arc::clone(&ran);
        pool.submit(move || {
            let worker = worker_index().expect("a task runs on a worker");
            std::hint::black_box((0..20_000_u64).sum::<u64>());
            *ran.lock()
                .expect("no task panics")
                .entry(worker)
                .or_default() += 1;
        })?;
    }
    pool.shutdown().wait()?;
    for (worker, tasks) in &*ran.lock().expect("no task panics") {
        println!("worker {worker} on core {}: {tasks} tasks", worker % count);
    }
    Ok(())
}
