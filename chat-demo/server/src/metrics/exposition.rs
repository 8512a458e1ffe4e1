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
    let help = "Handshakes that did not become a connection, by reason";
    chat.register("handshakes_refused", help, tally.refused);
    let help = "Connections ended by the server, by reason";
    chat.register("connections_closed", help, tally.closed);
    let help = "Messages received from clients, by the type of their frame";
    chat.register("frames_in", help, tally.frames_in);
    let help = "Frames queued for clients, by type";
    chat.register("frames_out", help, tally.frames_out);
    let help = "Bytes read from connections";
    chat.register_with_unit("traffic_in", help, Unit::Bytes, tally.traffic.bytes_in);
    let help = "Bytes written to connections";
    chat.register_with_unit("traffic_out", help, Unit::Bytes, tally.traffic.bytes_out);
    let help = "Frames refused with an error, by code";
    chat.register("errors", help, tally.errors);
    chat.register("messages", "Texts published", tally.messages);
    let help = "Frames that rooms put into outboxes";
    chat.register("deliveries", help, tally.deliveries);
    let help = "From the moment that a publish was read to the last outbox that its message was put into; with Redis, until Redis had kept it";
    chat.register_with_unit("fanout", help, Unit::Seconds, tally.fanout.histogram);
    let help = "Operations that the session store did not do";
    chat.register("session_failures", help, tally.session_failures);
    chat.register("panics", "Panics contained by the pools", tally.panics);
}

impl Collector for Live {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut figures = Figures(encoder);
        let hub = &self.hub;
        figures.count("connections", "Open connections.", hub.connections())?;
        figures.count("rooms", "Rooms with members.", hub.rooms())?;
        let help = "Messages kept for clients that reconnect.";
        figures.count("history_messages", help, hub.history().messages())?;
        let help = "Memory of the messages kept for clients that reconnect.";
        figures.gauge("history", help, BYTES, hub.history().bytes())?;
        let Outboxes { all, most } = hub.outboxes();
        let help = "Frames that wait in all outboxes together.";
        figures.count("outbox_frames", help, all.frames)?;
        let help = "Bytes that wait in all outboxes together.";
        figures.gauge("outbox", help, BYTES, all.bytes)?;
        let help = "Frames that wait in the fullest outbox.";
        figures.count("outbox_max_frames", help, most.frames)?;
        let help = "Bytes that wait in the fullest outbox.";
        figures.gauge("outbox_max", help, BYTES, most.bytes)?;

        let usage = self.guard.machine();
        let ratio = Some(&Unit::Other("ratio".to_owned()));
        let help = "Processors in use, of those that the server may use.";
        figures.gauge("machine_cpu", help, ratio, usage.cpu_percent / 100.0)?;
        let help = "Memory in use, of what there is.";
        figures.gauge("machine_memory", help, ratio, usage.memory_percent / 100.0)?;
        let help = "What is done against too much to do: 1 when newcomers are refused, 2 when publishers are slowed, too.";
        figures.count("pressure", help, self.guard.pressure() as usize)?;
        let help = "How long each publish is held back.";
        let delay = self.guard.delay().as_secs_f64();
        figures.gauge("publish_delay", help, SECONDS, delay)?;

        if let Some(tuning) = &self.tuning {
            let tuned = tuning.now();
            let help = "Where the limit stands that the tuner moves.";
            figures.count("tuner_limit", help, tuned.limit)?;
            let help = "How often the tuner has moved it, trials apart.";
            figures.counter("tuner_changes", help, None, tuned.changes)?;
        }
        if let Some(redis) = &self.redis {
            let help = "Whether Redis does what this server asks of it.";
            figures.count("redis_up", help, redis.trouble().is_none().into())?;
            let help = "Connections to Redis for reading old messages.";
            figures.gauge("redis_read_connections", help, None, redis.open_reads())?;
        }
        if let Some(is_failing) = hub.journal().map(Journal::is_failing) {
            let help = "Whether messages can be kept in the data file.";
            figures.count("data_up", help, (!is_failing).into())?;
        }
        let help = "How long a task of this lane waits for a worker.";
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

/// The process, under the names that all clients of Prometheus use.
#[derive(Debug)]
struct OfProcess;

impl Collector for OfProcess {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(process) = Process::read() else {
            return Ok(());
        };
        let mut figures = Figures(encoder);
        let help = "Processor time used, the program's and the kernel's for it.";
        figures.counter("cpu", help, SECONDS, process.cpu_seconds)?;
        let help = "When the process started, since the epoch.";
        figures.gauge("start_time", help, SECONDS, process.start_seconds)?;
        let help = "Resident memory.";
        figures.gauge("resident_memory", help, BYTES, process.resident_bytes)?;
        let help = "Virtual memory.";
        figures.gauge("virtual_memory", help, BYTES, process.virtual_bytes)?;
        figures.gauge("threads", "Threads.", None, process.threads)?;
        let help = "Open file descriptors.";
        figures.gauge("open_fds", help, None, process.open_files)?;
        let help = "How many file descriptors may be open.";
        figures.gauge("max_fds", help, None, process.max_files)
    }
}
