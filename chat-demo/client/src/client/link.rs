//! The state of the connection of a reconnecting client.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep, sleep};

use super::{connection::Connection, error::Result};
use crate::backoff::Backoff;

pub(super) enum Link {
    Waiting(Pin<Box<Sleep>>),
    Connecting(BoxFuture<'static, Result<Connection>>),
    Open(Box<Open>),
    Over,
}

pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) since: Instant,
    /// The wait that the server asked for.
    pub(super) stay_away: Duration,
    /// The waits before refused joins are repeated.
    backoff: Backoff,
    /// The wait in progress.
    wait: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting(_) => "Waiting",
            Self::Connecting(_) => "Connecting",
            Self::Open(_) => "Open",
            Self::Over => "Over",
        })
    }
}

impl Open {
    pub(super) fn new(connection: Connection, backoff: Backoff) -> Self {
        Self {
            connection,
            since: Instant::now(),
            stay_away: Duration::ZERO,
            backoff,
            wait: None,
        }
    }

    /// Starts a wait, unless one is in progress.
    pub(super) fn join_later(&mut self) {
        let wait = || Box::pin(sleep(self.backoff.next(Duration::ZERO)));
        self.wait.get_or_insert_with(wait);
    }

    /// Ends the wait, because no room is left to join.
    pub(super) fn all_joined(&mut self) {
        self.wait = None;
        self.backoff.reset();
    }

    /// Returns ready once refused joins are due.
    pub(super) fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wait) = &mut self.wait else {
            return Poll::Pending;
        };
        ready!(wait.as_mut().poll(cx));
        self.wait = None;
        Poll::Ready(())
    }
}
