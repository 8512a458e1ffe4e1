//! The link to Redis: one connection, for what is said and what is heard, made anew for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use redis::{ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind};
use tokio::sync::mpsc::{Sender, error::TrySendError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::topology::{Connection, Topology};
use crate::backoff::Backoff;
use crate::bus::Away;

/// How often Redis is asked whether it is there.
const PING: Duration = Duration::from_secs(1);
/// Waits between attempts to connect, by chance up to these.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// See the module's documentation.
pub(super) struct Link {
    topology: Topology,
    current: watch::Sender<Option<Line>>,
    /// Told when something has failed that the connection may be the reason of.
    doubt: Notify,
    /// Told when the connection is of no use any more, although it answers.
    useless: Notify,
    /// Told when something that came was lost, for it came faster than it could be passed on.
    pub(super) missed: Notify,
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
        }
    }

    /// The connection, if there is one.
    pub(super) fn now(&self) -> Result<Line, Away> {
        self.current.borrow().clone().ok_or(Away)
    }

    pub(super) fn is_up(&self) -> bool {
        self.current.borrow().is_some()
    }

    /// Tells when the connection changes.
    pub(super) fn changes(&self) -> watch::Receiver<Option<Line>> {
        self.current.subscribe()
    }

    /// Something failed on the connection: whether it still answers is looked at soon.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Redis did not do something.
    pub(super) fn failed(&self, error: &RedisError) -> Away {
        tracing::debug!("Redis did not do it: {error}");
        if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
            // It was the master, and answers still; sentinels know who is.
            self.useless.notify_one();
        } else {
            self.doubt();
        }
        Away
    }

    /// Keeps a connection, for ever. What Redis says by itself goes to `pushes`.
    pub(super) async fn keep(self: Arc<Self>, pushes: Sender<PushInfo>) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, Rng::new());
        let mut failing = false;
        for number in 1.. {
            let (link, pushes) = (self.clone(), pushes.clone());
            let pass_on = move |push: PushInfo| link.pass_on(&pushes, push);
            match self.topology.connect(Some(pass_on)).await {
                Ok(connection) => {
                    failing = false;
                    let since = Instant::now();
                    tracing::info!("connected to Redis");
                    let mut pinged = connection.clone();
                    self.current.send_replace(Some(Line { connection, number }));
                    tokio::select! {
                        error = until_it_fails(&self.doubt, &mut pinged) => {
                            tracing::warn!("cut off from Redis: {error}");
                        }
                        () = self.useless.notified() => {
                            tracing::warn!("this Redis takes nothing any more");
                        }
                    }
                    self.current.send_replace(None);
                    backoff.lasted(since.elapsed());
                }
                // Once, not for each attempt, for as long as it lasts.
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!("cannot connect to Redis: {error}");
                }
                Err(_) => {}
            }
            sleep(backoff.next(Duration::ZERO)).await;
        }
    }

    /// Called by the connection, which must not wait.
    fn pass_on(&self, pushes: &Sender<PushInfo>, push: PushInfo) -> Result<(), Away> {
        if push.kind == PushKind::Disconnection {
            self.doubt();
        }
        match pushes.try_send(push) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.missed.notify_one();
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Away),
        }
    }
}

/// Asks again and again, and says why there was no answer.
async fn until_it_fails(doubt: &Notify, connection: &mut Connection) -> RedisError {
    loop {
        if let Err(error) = connection.ping().await {
            return error;
        }
        // Whether it is told or the time is over, the next question follows.
        let _ = timeout(PING, doubt.notified()).await;
    }
}
