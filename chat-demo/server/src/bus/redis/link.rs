//! The link to Redis: one connection for commands and subscriptions, replaced when it fails.

use std::sync::Arc;
use std::time::Duration;

use chat_demo_client::backoff::Backoff;
use fastrand::Rng;
use redis::{ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind};
use tokio::sync::mpsc::{Sender, error::TrySendError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::presence::Presence;
use super::topology::{Connection, Topology};
use super::trouble::Troubles;
use crate::bus::BusUnavailable;

/// How often this server says that it is there, which shows whether Redis does what it is asked.
const BEAT: Duration = Duration::from_secs(1);
/// Waits between attempts to connect, by chance up to these.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

pub(super) struct Link {
    topology: Topology,
    current: watch::Sender<Option<Line>>,
    /// Told when something has failed that the connection may be the reason of.
    doubt: Notify,
    /// Told when the connection is of no use any more, although it answers.
    useless: Notify,
    /// Notified when announcements were dropped because they arrived too fast.
    pub(super) missed: Notify,
    /// What Redis does not do although it answers.
    pub(super) troubles: Troubles,
}

/// A connection, and which one it is.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) number: u64,
}

impl Link {
    pub(super) fn new(topology: Topology) -> Self {
        Self {
            topology,
            current: watch::Sender::new(None),
            doubt: Notify::new(),
            useless: Notify::new(),
            missed: Notify::new(),
            troubles: Troubles::default(),
        }
    }

    pub(super) fn now(&self) -> Result<Line, BusUnavailable> {
        self.current.borrow().clone().ok_or(BusUnavailable)
    }

    /// Returns which connection this is; none if there is none.
    pub(super) fn number(&self) -> Option<u64> {
        self.current.borrow().as_ref().map(|line| line.number)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.current.borrow().is_some()
    }

    /// Returns a receiver that is notified when the connection changes.
    pub(super) fn changes(&self) -> watch::Receiver<Option<Line>> {
        self.current.subscribe()
    }

    /// Something failed on the connection: whether it still answers is looked at soon.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }

    pub(super) fn failed(&self, error: &RedisError) -> BusUnavailable {
        tracing::debug!(%error, "Redis command failed");
        if is_refusal(error) {
            self.troubles.refused(error);
        }
        if is_useless(error) {
            self.useless.notify_one();
        } else {
            self.doubt();
        }
        BusUnavailable
    }

    /// Keeps a connection until the server ends. Push messages of Redis go to `pushes`.
    pub(super) async fn keep(self: Arc<Self>, mut presence: Presence, pushes: Sender<PushInfo>) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, Rng::new());
        let mut failing = false;
        for number in 1.. {
            match self.connect(&mut presence, &pushes).await {
                Ok(connection) => {
                    failing = false;
                    let since = Instant::now();
                    tracing::info!("connected to Redis");
                    let mut beating = connection.clone();
                    self.current.send_replace(Some(Line { connection, number }));
                    tokio::select! {
                        error = self.until_it_fails(&mut presence, &mut beating) => {
                            tracing::warn!(%error, "lost the connection to Redis");
                        }
                        () = self.useless.notified() => {
                            tracing::warn!("closing the connection to Redis: it refuses all commands");
                        }
                    }
                    self.current.send_replace(None);
                    backoff.lasted(since.elapsed());
                }
                // Log once, not for each attempt.
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(%error, "cannot connect to Redis");
                }
                Err(_) => {}
            }
            sleep(backoff.next(Duration::ZERO)).await;
        }
    }

    /// Returns a connection to a Redis that has what this server needs, apart from temporary
    /// problems.
    async fn connect(
        self: &Arc<Self>,
        presence: &mut Presence,
        pushes: &Sender<PushInfo>,
    ) -> Result<Connection, RedisError> {
        let (link, pushes) = (self.clone(), pushes.clone());
        let pass_on = move |push: PushInfo| link.pass_on(&pushes, push);
        let connecting = self.topology.connect(Some(pass_on)).await;
        let mut connection = connecting.inspect_err(|_| self.troubles.are_unknown())?;
        self.beat(presence, &mut connection).await?;
        Ok(connection)
    }

    /// Says that this server is there. Fails when the connection is of no use.
    async fn beat(
        &self,
        presence: &mut Presence,
        connection: &mut Connection,
    ) -> Result<(), RedisError> {
        match presence.beat(connection).await {
            Ok(()) => self.troubles.beaten(self.topology.is_cluster()),
            Err(error) if is_refusal(&error) => {
                self.troubles.refused(&error);
                // Without rights nothing works. A Redis that is full can still be read and listened
                // to.
                if is_useless(&error) || is_forbidden(&error) {
                    return Err(error);
                }
            }
            Err(error) => {
                self.troubles.are_unknown();
                // Perhaps only the part of a cluster that has the key is down.
                if !self.topology.is_cluster() || connection.ping().await.is_err() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Says so again and again, and returns why there was no answer.
    async fn until_it_fails(
        &self,
        presence: &mut Presence,
        connection: &mut Connection,
    ) -> RedisError {
        loop {
            // The next check follows a notification or the timeout.
            let _ = timeout(BEAT, self.doubt.notified()).await;
            if let Err(error) = self.beat(presence, connection).await {
                return error;
            }
        }
    }

    /// Called by the connection, which must not wait.
    fn pass_on(&self, pushes: &Sender<PushInfo>, push: PushInfo) -> Result<(), BusUnavailable> {
        if push.kind == PushKind::Disconnection {
            self.doubt();
        }
        match pushes.try_send(push) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.missed.notify_one();
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(BusUnavailable),
        }
    }
}

/// Whether Redis answered that it will not do what was asked.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    use ServerErrorKind::{NoPerm, ReadOnly, ResponseError};
    matches!(
        error.kind(),
        ErrorKind::Extension | ErrorKind::Server(ResponseError | ReadOnly | NoPerm)
    )
}

/// Whether this is not the master, or not any more. It answers still; sentinels know which is.
fn is_useless(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || quotes(error, "READONLY")
}

fn is_forbidden(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || quotes(error, "NOPERM")
        || quotes(error, "ACL failure in script")
}

/// Whether an error is that of a script and quotes another: not all versions of Redis pass its code
/// on.
fn quotes(error: &RedisError, what: &str) -> bool {
    error.detail().is_some_and(|detail| detail.contains(what))
}
