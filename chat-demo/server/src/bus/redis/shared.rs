//! What the parts of the Redis bus share.

use std::sync::Arc;
use std::time::Duration;

use super::link::Link;
use super::scripts::Scripts;

pub(super) struct Shared {
    pub(super) link: Arc<Link>,
    pub(super) scripts: Scripts,
    /// Names this server, and this life of it.
    pub(super) server: String,
    /// How long a room without members is known.
    pub(super) remember: Duration,
    /// How things are announced.
    pub(super) publish: &'static str,
    /// Messages of a room that are kept, their bytes, and how many of them clients are shown.
    pub(super) kept: usize,
    pub(super) kept_bytes: usize,
    pub(super) recent: usize,
    pub(super) kept_for: Duration,
    /// How long the members and the sessions of a server that is gone are kept.
    pub(super) time_to_live: Duration,
    pub(super) presence_limit: usize,
}
