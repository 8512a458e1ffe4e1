//! Metrics of the machine, and of the server at its limit.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use serde::Serialize;

use super::gauge::gauge;
use crate::guard::Guard;
use crate::machine::cpus;

/// The machine, or what this process may use of it; percents are of the last second.
#[derive(Serialize)]
pub(super) struct MachineSnapshot {
    cpus: usize,
    cpu_percent: f64,
    memory_percent: f64,
    memory_bytes: u64,
}

impl From<&Guard> for MachineSnapshot {
    fn from(guard: &Guard) -> Self {
        let usage = guard.machine();
        Self {
            cpus: cpus(),
            cpu_percent: usage.cpu_percent,
            memory_percent: usage.memory_percent,
            memory_bytes: usage.memory_bytes,
        }
    }
}

pub(super) fn encode(guard: &Guard, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let usage = guard.machine();
    let ratio = Some(&Unit::Other("ratio".to_owned()));
    let help = "Processors in use, of those that the server may use.";
    gauge(
        encoder,
        "machine_cpu",
        help,
        ratio,
        usage.cpu_percent / 100.0,
    )?;
    let help = "Memory in use, of what there is.";
    gauge(
        encoder,
        "machine_memory",
        help,
        ratio,
        usage.memory_percent / 100.0,
    )?;
    let help = "What is done against too much to do: 1 when newcomers are refused, 2 when publishers are slowed, too.";
    gauge(encoder, "pressure", help, None, guard.pressure() as u64)?;
    let help = "How long each publish is held back.";
    let seconds = Some(&Unit::Seconds);
    gauge(
        encoder,
        "publish_delay",
        help,
        seconds,
        guard.delay().as_secs_f64(),
    )
}
