//! Time as it is told to clients and files: in milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since the epoch.
pub(crate) fn now_ms() -> u64 {
    millis(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
