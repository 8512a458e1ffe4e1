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
    pub(super) kept: Kept,
    /// How long the members and the sessions of a server that is gone are kept.
    pub(super) time_to_live: Duration,
    pub(super) presence_limit: usize,
}

/// What is kept of a room.
pub(super) struct Kept {
    pub(super) messages: usize,
    /// Of these clients are shown so many.
    pub(super) recent: usize,
    pub(super) age: Duration,
}
