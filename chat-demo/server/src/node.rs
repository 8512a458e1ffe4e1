//! One server: the state that all its connections share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anthill::Pool;
use chat_demo_client::payload::ErrorCode;
use chat_demo_client::subprotocol;
use sysinfo::System;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, Redis};
use crate::closures::Closures;
use crate::config::Config;
use crate::door::Door;
use crate::error::{Refusal, ServeError};
use crate::guard::{self, Guard};
use crate::history::{self, History};
use crate::hub::Hub;
use crate::journal::{Journal, Kept};
use crate::metrics::{Live, Metrics};
use crate::outbox::Limits;
use crate::pools::Pools;
use crate::queue_age::QueueAge;
use crate::rate::Rates;
use crate::room::Common;
use crate::sessions::{Memory, Sessions};
use crate::tally::Tally;
use crate::tls::TlsArgs;
use crate::token::{GUEST, Key};
use crate::tuning::{self, Tuning};

pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) pools: Pools,
    /// Which of the sockets that are no connections make room for others.
    pub(crate) door: Arc<Door>,
    pub(crate) hub: Arc<Hub>,
    /// What rooms are shared by with other servers, if they are.
    pub(crate) redis: Option<Arc<Redis>>,
    pub(crate) tally: Tally,
    pub(crate) rates: Rates,
    pub(crate) sessions: Sessions,
    /// Verifies tokens, where there is a secret.
    pub(crate) tokens: Option<Key>,
    /// Takes handshakes, where there is a certificate.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) metrics: Metrics,
    pub(crate) guard: Arc<Guard>,
    pub(crate) closures: Option<Closures>,
    /// Cancelled when the server begins to end.
    pub(crate) draining: CancellationToken,
    connections: AtomicU64,
    guests: AtomicU64,
}

/// Returns a default name: the machine's, and a random number.
fn a_name() -> String {
    let machine = System::host_name().unwrap_or_default();
    let short: String = machine
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .take(40)
        .collect();
    let machine = if short.is_empty() { "node" } else { &short };
    format!("{machine}-{:06x}", fastrand::u32(..1 << 24))
}

impl Node {
    pub(crate) fn new(mut config: Config) -> Result<Self, ServeError> {
        if config.node.is_empty() {
            config.node = a_name();
        }
        let secret = config.secret.read()?;
        let tls = config.tls.as_ref().map(TlsArgs::acceptor).transpose()?;
        let tally = Tally::default();
        let pools = Pools::new(&config, &tally)?;
        let closures = config.debug_closures;
        let closures = closures.map(|time| Closures::new(&pools.service, time));
        let closures = closures.transpose()?;
        let draining = CancellationToken::new();
        let guard = Arc::new(Guard::new(guard::Limits::new(&config)));
        pools.serve(guard::watch(guard.clone(), draining.clone()));
        let queue_age = Arc::new(QueueAge::default());
        let (normal, low) = (pools.service.clone(), pools.pages.clone());
        pools.serve(queue_age.clone().watch(normal, low, draining.clone()));
        let tuned = Tuning::new(config.tuner, &pools, &guard);
        let tuning = tuned.map(|(tuning, tuner)| {
            let tuning = Arc::new(tuning);
            pools.serve(tuning::run(tuning.clone(), tuner, draining.clone()));
            tuning
        });
        let history = History::new(history::Limits {
            messages: config.history,
            age: config.history_age,
            bytes: config.history_bytes,
            room_bytes: config.history_room_bytes,
            user_bytes: config.history_user_bytes,
            rooms: config.history_rooms,
        });
        let limit = outbox_limits(&config).longest_text();
        let restore = |kept: Kept| {
            let messages = kept.messages.iter();
            let messages = messages.map(|message| history::restored(message, limit));
            history.restore(&kept.room, kept.newest, messages);
        };
        let open = |path: &PathBuf| {
            Journal::open(path, config.history, restore).map_err(|source| ServeError::Data {
                path: path.clone(),
                source: Box::new(source),
            })
        };
        let journal = config.data.as_ref().map(open).transpose()?;
        let start = |reads: &Pool| Redis::start(&config, &pools.service, reads.clone());
        let redis = pools.reads.as_ref().map(start).transpose()?.map(Arc::new);
        let store = match &redis {
            Some(redis) => redis.sessions(),
            None => Box::new(Memory::new(config.session_ttl)),
        };
        // Servers that share rooms count from different numbers.
        let first_guest = redis.as_ref().map_or(0, |_| fastrand::u32(..).into());
        let hub = Hub::new(Common {
            fanout: pools.fanout.clone(),
            pages: pools.pages.clone(),
            searches: pools.searches.clone(),
            outbox: outbox_limits(&config),
            history,
            journal,
            bus: redis.clone().map(|redis| redis as Arc<dyn Bus>),
            presence_limit: config.presence_limit,
            tally: tally.clone(),
        });
        let debug = closures.as_ref();
        let debug = debug.map(|closures| ("debug_closures", closures.pool.clone()));
        let live = Live {
            hub: hub.clone(),
            pools: pools.named().chain(debug).collect(),
            redis: redis.clone(),
            guard: guard.clone(),
            tuning,
            closures: closures.clone(),
            queue_age,
            started: Instant::now(),
        };
        Ok(Self {
            tokens: secret.as_ref().map(Key::new),
            sessions: Sessions::new(
                store,
                &config.node,
                config.user_connections,
                config.session_ttl,
                tally.session_failures.clone(),
            ),
            tls,
            door: Door::new(config.address_handshakes),
            rates: Rates::new(config.connection_rate, config.user_rate),
            config,
            pools,
            hub,
            redis,
            metrics: Metrics::new(tally.clone(), live),
            tally,
            guard,
            closures,
            draining,
            // Each life of a server counts from elsewhere.
            connections: AtomicU64::new(u64::from(fastrand::u32(..)) << 32),
            guests: AtomicU64::new(first_guest),
        })
    }

    /// A number that no connection has had before, on no server of this name.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns a name for a guest without one.
    pub(crate) fn next_guest(&self) -> String {
        format!("{GUEST}{}", self.guests.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Returns why new connections are refused despite free slots.
    pub(crate) fn refuses(&self) -> Option<String> {
        self.guard.refuses(self.hub.connections())
    }

    /// Refuses a message whose texts are too long in one of the encodings that others read it in.
    pub(crate) fn check_length<const N: usize>(&self, texts: [&String; N]) -> Result<(), Refusal> {
        let limit = self.config.max_payload;
        if subprotocol::fit(texts.map(String::as_str), limit) {
            return Ok(());
        }
        let message = format!("too long: over {limit} bytes in JSON, as some members read it");
        Err(Refusal::new(ErrorCode::BadPayload, message))
    }

    pub(crate) fn outbox_limits(&self) -> Limits {
        outbox_limits(&self.config)
    }
}

fn outbox_limits(config: &Config) -> Limits {
    Limits {
        frames: config.outbox_frames,
        bytes: config.outbox_bytes,
        patience: config.slow_timeout,
    }
}
