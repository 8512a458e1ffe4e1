//! Signals wake futures. A signal goes to the whole process.

use std::process::{Command, id};
use std::sync::mpsc;

use anthill::Pool;
use tokio::signal::unix::{SignalKind, signal};

use crate::child::in_own_process;

#[test]
fn signal_wakes_a_task() {
    in_own_process("signal::signal_wakes_a_task", || {
        let pool = Pool::builder().threads(1..=1).tokio().build().unwrap();
        let (tell, told) = mpsc::channel();
        let task = pool.spawn_with_handle(async move {
            let mut signals = signal(SignalKind::user_defined1()).unwrap();
            for _ in 0..3 {
                tell.send(()).unwrap();
                signals.recv().await.unwrap();
            }
        });
        for _ in 0..3 {
            told.recv().unwrap();
            let mut kill = Command::new("kill");
            kill.args(["-USR1", &id().to_string()]);
            assert!(kill.status().unwrap().success());
        }
        task.unwrap().wait().unwrap();
    });
}
