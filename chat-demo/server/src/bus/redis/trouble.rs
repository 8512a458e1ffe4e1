//! Problems of a Redis that answers: it is full, it is a replica, or its user lacks a right.

use std::mem;
use std::time::Duration;

use parking_lot::Mutex;
use redis::RedisError;
use thiserror::Error;
use tokio::time::Instant;

/// How long a refusal counts that the beats do not see, because another part of a cluster refused.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Troubles(Mutex<State>);

#[derive(Default)]
struct State {
    /// The last refusal, until something was done again.
    refused: Option<(Instant, String)>,
    /// Why this server cannot listen.
    deaf: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Trouble {
    #[error("no connection to Redis")]
    CutOff,
    #[error("Redis refuses what this server writes: {0}")]
    Refused(String),
    #[error("Redis refuses subscriptions: {0}")]
    Deaf(String),
}

impl Troubles {
    pub(super) fn refused(&self, error: &RedisError) {
        let why = describe(error);
        let mut state = self.0.lock();
        let news = state
            .refused
            .replace((Instant::now(), why.clone()))
            .is_none();
        drop(state);
        // Log once, until it is over.
        if news {
            tracing::warn!("{}", Trouble::Refused(why));
        }
    }

    /// Redis did what each server asks of it now and then. In a cluster only one part did.
    pub(super) fn beaten(&self, in_cluster: bool) {
        let mut state = self.0.lock();
        let over = |(at, _): &mut (Instant, String)| !in_cluster || at.elapsed() >= FRESH;
        let ended = state.refused.take_if(over).is_some();
        drop(state);
        if ended {
            tracing::info!("Redis accepts writes again");
        }
    }

    /// There is no connection to ask.
    pub(super) fn are_unknown(&self) {
        self.0.lock().refused = None;
    }

    /// Whether Redis lets this server listen; if not, why.
    pub(super) fn listening(&self, error: Option<&RedisError>) {
        let now = error.map(describe);
        let before = mem::replace(&mut self.0.lock().deaf, now.clone());
        match (before, now) {
            (None, Some(why)) => tracing::warn!("{}", Trouble::Deaf(why)),
            (Some(_), None) => tracing::info!("subscribed to Redis again"),
            _ => {}
        }
    }

    /// What is wrong although there is a connection, or was.
    pub(super) fn now(&self, connected: bool) -> Option<Trouble> {
        let state = self.0.lock();
        if let Some((_, why)) = &state.refused {
            return Some(Trouble::Refused(why.clone()));
        }
        if !connected {
            return Some(Trouble::CutOff);
        }
        state.deaf.clone().map(Trouble::Deaf)
    }
}

/// What Redis said, without where in a script.
fn describe(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            let detail = detail.split(" script: ").next().unwrap_or(detail);
            format!("{code} {detail}")
        }
        _ => error.to_string(),
    }
}
