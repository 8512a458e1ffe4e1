//! The metrics in Prometheus format.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::figures::Figures;
use super::live::Live;
use super::pools;
use crate::hub::Outboxes;
use crate::journal::Journal;
use crate::process::Process;
use crate::tally::Tally;

const SECONDS: Option<&Unit> = Some(&Unit::Seconds);
const BYTES: Option<&Unit> = Some(&Unit::Bytes);

/// All figures: the server's begin with `chat_`, the process's with `process_`, as everywhere.
pub(super) fn registry(tally: &Tally, live: &Live) -> Registry {
    let mut registry = Registry::default();
    let chat = registry.sub_registry_with_prefix("chat");
    register(chat, tally.clone());
    chat.register_collector(Box::new(live.clone()));
    let process = registry.sub_registry_with_prefix("process");
    process.register_collector(Box::new(OfProcess));
    registry
}

fn register(chat: &mut Registry, tally: Tally) {
    let help = "TCP connections accepted";
    chat.register("sockets_accepted", help, tally.accepted);
    let help = "Handshakes refused or failed, by reason";
    chat.register("handshakes_refused", help, tally.refused);
    let help = "Connections closed by the server, by reason";
    chat.register("connections_closed", help, tally.closed);
    let help = "Frames received from clients, by type";
    chat.register("frames_in", help, tally.frames_in);
    let help = "Frames queued for clients, by type";
    chat.register("frames_out", help, tally.frames_out);
    let help = "Bytes read from connections";
    chat.register_with_unit("traffic_in", help, Unit::Bytes, tally.traffic.bytes_in);
    let help = "Bytes written to connections";
    chat.register_with_unit("traffic_out", help, Unit::Bytes, tally.traffic.bytes_out);
    let help = "Requests refused with an error frame, by code";
    chat.register("errors", help, tally.errors);
    chat.register("messages", "Messages published", tally.messages);
    let help = "Frames that rooms queued for their members";
    chat.register("deliveries", help, tally.deliveries);
    let help = "Seconds from a publish until it is queued for all members, or stored in Redis";
    chat.register_with_unit("fanout", help, Unit::Seconds, tally.fanout.histogram);
    let help = "Operations of the session store that failed";
    chat.register("session_failures", help, tally.session_failures);
    chat.register("panics", "Panics in tasks of the pools", tally.panics);
}

impl Collector for Live {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut figures = Figures(encoder);
        let hub = &self.hub;
        let help = "Open connections: WebSocket connections and event streams.";
        figures.count("connections", help, hub.connections())?;
        figures.count("rooms", "Rooms with members.", hub.rooms())?;
        let help = "Messages kept in memory for clients that reconnect.";
        figures.count("history_messages", help, hub.history().messages())?;
        let help = "Size of the messages kept in memory, in bytes.";
        figures.gauge("history", help, BYTES, hub.history().bytes())?;
        let Outboxes { all, most } = hub.outboxes();
        let help = "Frames queued for all clients.";
        figures.count("outbox_frames", help, all.frames)?;
        let help = "Bytes queued for all clients.";
        figures.gauge("outbox", help, BYTES, all.bytes)?;
        let help = "Frames queued for the client with the most of them.";
        figures.count("outbox_max_frames", help, most.frames)?;
        let help = "Bytes queued for the client with the most of them.";
        figures.gauge("outbox_max", help, BYTES, most.bytes)?;

        let usage = self.guard.machine();
        let ratio = Some(&Unit::Other("ratio".to_owned()));
        let help = "CPU load of the machine or cgroup, from 0 to 1.";
        figures.gauge("machine_cpu", help, ratio, usage.cpu_percent / 100.0)?;
        let help = "Memory use of the machine or cgroup, from 0 to 1.";
        figures.gauge("machine_memory", help, ratio, usage.memory_percent / 100.0)?;
        let help = "Overload protection: 0 none, 1 refuses connections, 2 also slows publishes.";
        figures.count("pressure", help, self.guard.pressure() as usize)?;
        let help = "Delay of each publish by overload protection, in seconds.";
        let delay = self.guard.delay().as_secs_f64();
        figures.gauge("publish_delay", help, SECONDS, delay)?;

        if let Some(tuning) = &self.tuning {
            let tuned = tuning.now();
            let help = "Current value of the limit that the tuner adjusts.";
            figures.count("tuner_limit", help, tuned.limit)?;
            let help = "Changes of a limit by the tuner, without trials.";
            figures.counter("tuner_changes", help, None, tuned.changes)?;
        }
        if let Some(redis) = &self.redis {
            let help = "1 when Redis is connected and accepts writes and subscriptions, else 0.";
            figures.count("redis_up", help, redis.trouble().is_none().into())?;
            let help = "Open connections to Redis that read old messages.";
            figures.gauge("redis_read_connections", help, None, redis.open_reads())?;
        }
        if let Some(is_failing) = hub.journal().map(Journal::is_failing) {
            let help = "1 when messages can be written to the data file, else 0.";
            figures.count("data_up", help, (!is_failing).into())?;
        }
        let help = "Time that a task of this lane waits for a worker, in seconds.";
        let mut lanes =
            figures
                .0
                .encode_descriptor("pool_queue_age", help, SECONDS, MetricType::Gauge)?;
        for (lane, age) in self.queue_age.lanes() {
            let gauge = ConstGauge::new(age.as_secs_f64());
            gauge.encode(lanes.encode_family(&[("lane", lane)])?)?;
        }
        pools::encode(&self.pools, &mut figures)
    }
}

/// The process, under the names that all Prometheus clients use.
#[derive(Debug)]
struct OfProcess;

impl Collector for OfProcess {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(process) = Process::read() else {
            return Ok(());
        };
        let mut figures = Figures(encoder);
        let help = "User and system CPU time used, in seconds.";
        figures.counter("cpu", help, SECONDS, process.cpu_seconds)?;
        let help = "Start time of the process since the Unix epoch, in seconds.";
        figures.gauge("start_time", help, SECONDS, process.start_seconds)?;
        let help = "Resident memory, in bytes.";
        figures.gauge("resident_memory", help, BYTES, process.resident_bytes)?;
        let help = "Virtual memory, in bytes.";
        figures.gauge("virtual_memory", help, BYTES, process.virtual_bytes)?;
        figures.gauge("threads", "Number of threads.", None, process.threads)?;
        let help = "Number of open file descriptors.";
        figures.gauge("open_fds", help, None, process.open_files)?;
        let help = "Maximum number of open file descriptors.";
        figures.gauge("max_fds", help, None, process.max_files)
    }
}
