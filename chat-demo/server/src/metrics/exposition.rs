//! The metrics in Prometheus format.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::gauge::gauge;
use super::live::Live;
use super::{machine, pools, tuner};
use crate::process::Process;
use crate::tally::Tally;

/// All figures: the server's begin with `chat_`, the process's with `process_`, as everywhere.
pub(super) fn registry(tally: &Tally, live: &Live) -> Registry {
    let mut registry = Registry::default();
    let chat = registry.sub_registry_with_prefix("chat");
    register(chat, tally);
    chat.register_collector(Box::new(live.clone()));
    registry
        .sub_registry_with_prefix("process")
        .register_collector(Box::new(OfProcess));
    registry
}

fn register(chat: &mut Registry, tally: &Tally) {
    let Tally {
        accepted,
        refused,
        closed,
        frames_in,
        frames_out,
        traffic,
        errors,
        messages,
        deliveries,
        fanout,
        session_failures,
        panics,
    } = tally.clone();
    chat.register("sockets_accepted", "TCP connections accepted", accepted);
    chat.register(
        "handshakes_refused",
        "Handshakes that did not become a connection, by reason",
        refused,
    );
    chat.register(
        "connections_closed",
        "Connections ended by the server, by reason",
        closed,
    );
    chat.register(
        "frames_in",
        "Messages received from clients, by the type of their frame",
        frames_in,
    );
    chat.register(
        "frames_out",
        "Frames queued for clients, by type",
        frames_out,
    );
    chat.register_with_unit(
        "traffic_in",
        "Bytes read from connections",
        Unit::Bytes,
        traffic.bytes_in,
    );
    chat.register_with_unit(
        "traffic_out",
        "Bytes written to connections",
        Unit::Bytes,
        traffic.bytes_out,
    );
    chat.register("errors", "Frames refused with an error, by code", errors);
    chat.register("messages", "Texts published", messages);
    chat.register(
        "deliveries",
        "Frames that rooms put into outboxes",
        deliveries,
    );
    chat.register_with_unit(
        "fanout",
        "From the moment that a publish was read to the last outbox that its message was put into; with Redis, until Redis had kept it",
        Unit::Seconds,
        fanout.histogram,
    );
    chat.register(
        "session_failures",
        "Operations that the session store did not do",
        session_failures,
    );
    chat.register("panics", "Panics contained by the pools", panics);
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let hub = &self.hub;
        let outboxes = hub.outboxes();
        let bytes = Some(&Unit::Bytes);
        let gauges = [
            ("connections", "Open connections.", None, hub.connections()),
            ("rooms", "Rooms with members.", None, hub.rooms()),
            (
                "history_messages",
                "Messages kept for clients that reconnect.",
                None,
                hub.history().messages(),
            ),
            (
                "history",
                "Memory of the messages kept for clients that reconnect.",
                bytes,
                hub.history().bytes(),
            ),
            (
                "outbox_frames",
                "Frames that wait in all outboxes together.",
                None,
                outboxes.all.frames,
            ),
            (
                "outbox",
                "Bytes that wait in all outboxes together.",
                bytes,
                outboxes.all.bytes,
            ),
            (
                "outbox_max_frames",
                "Frames that wait in the fullest outbox.",
                None,
                outboxes.most.frames,
            ),
            (
                "outbox_max",
                "Bytes that wait in the fullest outbox.",
                bytes,
                outboxes.most.bytes,
            ),
        ];
        for (name, help, unit, value) in gauges {
            gauge(&mut encoder, name, help, unit, value as u64)?;
        }
        machine::encode(&self.guard, &mut encoder)?;
        if let Some(tuning) = &self.tuning {
            tuner::encode(tuning, &mut encoder)?;
        }
        if let Some(redis) = &self.redis {
            let help = "Whether Redis does what this server asks of it.";
            gauge(
                &mut encoder,
                "redis_up",
                help,
                None,
                u64::from(redis.trouble().is_none()),
            )?;
            let help = "Connections to Redis for reading old messages.";
            let open = u64::from(redis.open_reads());
            gauge(&mut encoder, "redis_read_connections", help, None, open)?;
        }
        if let Some(journal) = self.hub.journal() {
            let help = "Whether messages can be kept in the data file.";
            let up = u64::from(!journal.is_failing());
            gauge(&mut encoder, "data_up", help, None, up)?;
        }
        let age = &self.queue_age;
        let help = "How long a task of this lane waits for a worker.";
        let seconds = Some(&Unit::Seconds);
        let mut lanes =
            encoder.encode_descriptor("pool_queue_age", help, seconds, MetricType::Gauge)?;
        for (lane, age) in [
            ("futures", &age.futures),
            ("normal", &age.normal),
            ("low", &age.low),
        ] {
            let gauge = ConstGauge::new(age.get().as_secs_f64());
            gauge.encode(lanes.encode_family(&[("lane", lane)])?)?;
        }
        pools::encode(&self.pools, &mut encoder)
    }
}

/// The process, under the names that all clients of Prometheus use.
#[derive(Debug)]
struct OfProcess;

impl Collector for OfProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(process) = Process::read() else {
            return Ok(());
        };
        let (seconds, bytes) = (Some(&Unit::Seconds), Some(&Unit::Bytes));
        let help = "Processor time used, the program's and the kernel's for it.";
        let cpu = encoder.encode_descriptor("cpu", help, seconds, MetricType::Counter)?;
        ConstCounter::new(process.cpu_seconds).encode(cpu)?;
        let help = "When the process started, since the epoch.";
        let start = process.start_seconds;
        gauge(&mut encoder, "start_time", help, seconds, start)?;
        let gauges = [
            (
                "resident_memory",
                "Resident memory.",
                bytes,
                process.resident_bytes,
            ),
            (
                "virtual_memory",
                "Virtual memory.",
                bytes,
                process.virtual_bytes,
            ),
            ("threads", "Threads.", None, process.threads),
            (
                "open_fds",
                "Open file descriptors.",
                None,
                process.open_files,
            ),
            (
                "max_fds",
                "How many file descriptors may be open.",
                None,
                process.max_files,
            ),
        ];
        for (name, help, unit, value) in gauges {
            gauge(&mut encoder, name, help, unit, value)?;
        }
        Ok(())
    }
}
