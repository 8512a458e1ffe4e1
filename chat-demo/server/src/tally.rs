//! Counters for the metrics. Each costs an addition per frame, write or publish, never per
//! delivery.

mod counts;
mod labels;
mod latency;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::ErrorCode;
use prometheus_client::metrics::counter::Counter;

use crate::error::{CloseReason, Refused};

pub(crate) use self::counts::Counts;
pub(crate) use self::labels::UNKNOWN;
pub(crate) use self::latency::Latency;

/// The counters of a server; a clone counts into the same.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: Counter,
    pub(crate) refused: Counts<Refused>,
    pub(crate) closed: Counts<CloseReason>,
    /// Frames from clients by kind. Bad frames count as unknown.
    pub(crate) frames_in: Counts<Kind>,
    pub(crate) frames_out: Counts<Kind>,
    pub(crate) traffic: Traffic,
    pub(crate) errors: Counts<ErrorCode>,
    /// Texts that got a number.
    pub(crate) messages: Counter,
    /// Frames that rooms put into a member's outbox.
    pub(crate) deliveries: Counter,
    /// From the moment that a publish was read to the last outbox that its message was put into;
    /// with Redis, until Redis had kept it.
    pub(crate) fanout: Latency,
    pub(crate) session_failures: Counter,
    pub(crate) panics: Counter,
}

/// Bytes on the sockets of connections.
#[derive(Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
}
