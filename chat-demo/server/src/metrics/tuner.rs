//! Metrics of the tuner.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use serde::Serialize;

use super::gauge::gauge;
use crate::tuning::Tuning;

/// The limit, and how it came there.
#[derive(Serialize)]
pub(super) struct TunerSnapshot {
    policy: &'static str,
    pool: &'static str,
    what: &'static str,
    limit: usize,
    /// Trials apart.
    changes: u64,
    /// The last of them.
    last: Option<String>,
}

impl From<&Tuning> for TunerSnapshot {
    fn from(tuning: &Tuning) -> Self {
        Self {
            policy: tuning.policy,
            pool: tuning.pool,
            what: tuning.what,
            limit: tuning.limit(),
            changes: tuning.changes.get(),
            last: tuning.last(),
        }
    }
}

pub(super) fn encode(tuning: &Tuning, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Where the limit stands that the tuner moves.";
    gauge(encoder, "tuner_limit", help, None, tuning.limit() as u64)?;
    let help = "How often the tuner has moved it, trials apart.";
    let changes = encoder.encode_descriptor("tuner_changes", help, None, MetricType::Counter)?;
    ConstCounter::new(tuning.changes.get()).encode(changes)
}
