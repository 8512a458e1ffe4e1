//! What all rooms of a server share.

use std::sync::Arc;

use anthill::Pool;

use crate::bus::Bus;
use crate::history::History;
use crate::journal::Journal;
use crate::outbox;
use crate::tally::Tally;

pub(crate) struct Common {
    pub(crate) fanout: Pool,
    /// Where pages of history and lists of members are encoded, after more urgent work.
    pub(crate) pages: Pool,
    /// Where histories are searched, after more urgent work.
    pub(crate) searches: Pool,
    /// What a member's outbox holds.
    pub(crate) outbox: outbox::Limits,
    pub(crate) history: History,
    /// Where messages are kept before they are delivered, if they are kept on disk.
    pub(crate) journal: Option<Journal>,
    /// What this server shares its rooms by, if it does.
    pub(crate) bus: Option<Arc<dyn Bus>>,
    /// Rooms with more members have no presence.
    pub(crate) presence_limit: usize,
    pub(crate) tally: Tally,
}
