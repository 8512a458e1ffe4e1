//! What the clients of one process share: the plan, the pace, and the counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::ledger::{Counts, Place};
use super::pace::Pace;
use super::plan::Plan;
use super::snapshot::{self, Snapshot};
use super::sources::Sources;
use super::system;

/// Latencies have three significant digits, up to an hour.
const DIGITS: u8 = 3;
const MAX_LATENCY: u64 = 3_600_000_000;
const SHARDS: usize = 4;
/// Kinds of errors that are listed by name; more are only counted.
const MAX_KINDS: usize = 16;

/// The state that the clients of one process share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    pub(super) sources: Sources,
    /// Permits for concurrent handshakes.
    connecting: Semaphore,
    begun: Instant,
    /// The pace, while clients publish.
    pub(super) pace: watch::Sender<Option<Pace>>,
    /// Cancelled at the end of the run.
    pub(super) done: CancellationToken,
    pub(super) errors: Errors,
    joined: AtomicU64,
    left: AtomicU64,
    failed: AtomicU64,
    delivered: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    last_delivery: AtomicU64,
    pub(super) dropped_slow: AtomicU64,
    pub(super) reconnects: AtomicU64,
    rooms: Box<[Room]>,
    /// Latencies in microseconds since the last snapshot; sharded to avoid contention.
    latencies: [Mutex<Histogram<u64>>; SHARDS],
}

/// The counts of one room.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) members: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Shared {
    /// Creates the state before any client connects.
    pub(super) fn new(plan: Plan) -> Self {
        let room = |number| Room {
            name: plan.room_name(number),
            ..Room::default()
        };
        Self {
            clock: Clock::new(),
            sources: Sources::new(plan.sources),
            connecting: Semaphore::new(plan.concurrency),
            begun: Instant::now(),
            pace: watch::Sender::new(None),
            done: CancellationToken::new(),
            errors: Errors::default(),
            joined: AtomicU64::new(0),
            left: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            duplicated: AtomicU64::new(0),
            reordered: AtomicU64::new(0),
            last_delivery: AtomicU64::new(0),
            dropped_slow: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            rooms: (0..plan.rooms).map(room).collect(),
            latencies: std::array::from_fn(|_| Mutex::new(histogram())),
            plan,
        }
    }

    /// Returns the room of a client.
    pub(super) fn room_of(&self, client: usize) -> &Room {
        &self.rooms[self.plan.room_of(client)]
    }

    /// Waits for a client's turn to connect, then connects.
    pub(super) async fn take_turn<T>(&self, client: usize, connect: impl Future<Output = T>) -> T {
        if let Some(rate) = self.plan.connect_rate {
            sleep_until(self.begun + Duration::from_secs_f64(client as f64 / rate)).await;
        }
        let _turn = self.connecting.acquire().await;
        connect.await
    }

    /// Counts a client that joined.
    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    /// Counts a client that joined and lost its connection.
    pub(super) fn left(&self, why: String) {
        self.errors.add(why);
        self.left.fetch_add(1, Relaxed);
    }

    /// Counts a client that could not join.
    pub(super) fn failed(&self, why: String) {
        self.errors.add(why);
        self.failed.fetch_add(1, Relaxed);
    }

    /// Counts a delivery, with its latency if that counts.
    pub(super) fn delivered(&self, client: usize, place: Place, now: u64, latency: Option<u64>) {
        match place {
            Place::Again => {
                self.duplicated.fetch_add(1, Relaxed);
                return;
            }
            Place::Late => {
                self.reordered.fetch_add(1, Relaxed);
            }
            Place::InOrder => {}
        }
        if let Some(latency) = latency {
            self.latencies[client % SHARDS]
                .lock()
                .saturating_record(latency);
        }
        self.last_delivery.fetch_max(now, Relaxed);
        self.delivered.fetch_add(1, Relaxed);
    }

    /// Returns the latencies with their counts since the previous call.
    fn take_latencies(&self) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        for shard in &self.latencies {
            let mut shard = shard.lock();
            let values = shard.iter_recorded();
            all.extend(values.map(|value| {
                (
                    value.value_iterated_to(),
                    value.count_since_last_iteration(),
                )
            }));
            shard.reset();
        }
        all
    }

    /// Returns the counts so far, and the latencies since the previous call.
    pub(super) fn snapshot(&self) -> Snapshot {
        let of = |count: &AtomicU64| count.load(Relaxed);
        let room = |(number, room): (usize, &Room)| {
            let counts = snapshot::Room {
                members: of(&room.members),
                // Read before `sent`, so that no more are answered than sent.
                answered: of(&room.answered),
                refused: of(&room.refused),
                sent: of(&room.sent),
            };
            (number, counts)
        };
        // Read the rooms before the deliveries, so that every counted delivery was expected.
        let rooms = self.rooms.iter().enumerate().map(room).collect();
        Snapshot {
            joined: of(&self.joined),
            failed: of(&self.failed),
            left: of(&self.left),
            rooms,
            counts: Counts {
                delivered: of(&self.delivered),
                duplicated: of(&self.duplicated),
                reordered: of(&self.reordered),
            },
            dropped_slow: of(&self.dropped_slow),
            reconnects: of(&self.reconnects),
            errors: self.errors.list(),
            last_delivery: of(&self.last_delivery),
            cpu_seconds: system::cpu_seconds(),
            latencies: self.take_latencies(),
        }
    }
}

/// Returns an empty histogram for latencies in microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY, DIGITS)
        .expect("the bounds are an hour and a microsecond")
}

/// Errors by kind.
#[derive(Debug, Default)]
pub(super) struct Errors {
    kinds: Mutex<BTreeMap<String, u64>>,
    others: AtomicU64,
}

impl Errors {
    pub(super) fn add(&self, error: String) {
        let mut kinds = self.kinds.lock();
        if kinds.len() < MAX_KINDS || kinds.contains_key(&error) {
            *kinds.entry(error).or_default() += 1;
        } else {
            self.others.fetch_add(1, Relaxed);
        }
    }

    /// Returns each kind with its count.
    fn list(&self) -> BTreeMap<String, u64> {
        let mut kinds = self.kinds.lock().clone();
        let others = self.others.load(Relaxed);
        if others > 0 {
            kinds.insert("others".to_owned(), others);
        }
        kinds
    }
}
