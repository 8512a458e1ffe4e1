//! Metrics that are read at each scrape.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use anthill::Pool;

use crate::bus::Redis;
use crate::closures::Closures;
use crate::guard::Guard;
use crate::hub::Hub;
use crate::queue_age::QueueAge;
use crate::tuning::Tuning;

/// What has a value now, and needs no counter.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) hub: Arc<Hub>,
    /// The pools by the names they are shown under.
    pub(crate) pools: Vec<(&'static str, Pool)>,
    /// What rooms are shared by, if they are.
    pub(crate) redis: Option<Arc<Redis>>,
    pub(crate) guard: Arc<Guard>,
    /// What moves the limits of the pools, if anything does.
    pub(crate) tuning: Option<Arc<Tuning>>,
    /// What occupies the workers for debugging, if anything does.
    pub(crate) closures: Option<Closures>,
    pub(crate) queue_age: Arc<QueueAge>,
    pub(crate) started: Instant,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
