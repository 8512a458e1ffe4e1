//! What the members of a run share: its clock, its signals, and its sums.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{args::Args, sources::Sources};

/// Latencies are kept to a thousandth of their value, up to an hour.
const DIGITS: u8 = 3;
const MAX_LATENCY_US: u64 = 3_600_000_000;
/// So finely percentiles are told: between 50 and 75 of 100, between 75 and 87.5, and so on.
const POINTS_A_HALVING: u32 = 4;
/// Errors of one run are mostly of a few kinds; beyond so many they are only counted.
const MAX_KINDS: usize = 16;

/// Everything that the members of one run share.
#[derive(Debug)]
pub(super) struct Swarm {
    pub(super) args: Args,
    pub(super) address: SocketAddr,
    pub(super) sources: Sources,
    /// Turns to connect.
    pub(super) connecting: Semaphore,
    /// When publishing begins; the value is its time.
    pub(super) start: watch::Sender<Option<Instant>>,
    /// No more publishing.
    pub(super) stop: CancellationToken,
    /// No more of anything.
    pub(super) done: CancellationToken,
    /// Messages that came, repetitions not counted.
    pub(super) delivered: AtomicU64,
    pub(super) errors: Errors,
    /// A user ended the run.
    pub(super) interrupted: AtomicBool,
    joined: AtomicU64,
    left: AtomicU64,
    failed: AtomicU64,
    rooms: Box<[Room]>,
    latencies: Mutex<Histogram<u64>>,
    origin: Instant,
}

/// One room and what its publishers did.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) sent: AtomicU64,
    /// Of these, how many the server acknowledged or refused.
    pub(super) answered: AtomicU64,
    pub(super) refused: AtomicU64,
    members: AtomicU64,
}

/// The sums over all rooms at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) sent: u64,
    pub(super) answered: u64,
    /// How many deliveries the accepted messages ask for: one for each member of their room.
    pub(super) expected: u64,
    pub(super) delivered: u64,
}

impl Swarm {
    /// A swarm that has not begun.
    pub(super) fn new(args: Args, address: SocketAddr) -> Self {
        // Rooms of its own: what other runs said must not be in their history.
        let run = std::process::id();
        let room = |number| Room {
            name: format!("load-{run}-{number}"),
            ..Room::default()
        };
        Self {
            address,
            sources: Sources::new(args.sources),
            connecting: Semaphore::new(args.concurrency),
            start: watch::Sender::new(None),
            stop: CancellationToken::new(),
            done: CancellationToken::new(),
            delivered: AtomicU64::new(0),
            errors: Errors::default(),
            interrupted: AtomicBool::new(false),
            joined: AtomicU64::new(0),
            left: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            rooms: (0..args.rooms()).map(room).collect(),
            latencies: Mutex::new(
                Histogram::new_with_bounds(1, MAX_LATENCY_US, DIGITS)
                    .expect("the bounds are an hour and a microsecond"),
            ),
            origin: Instant::now(),
            args,
        }
    }

    /// The room of a client.
    pub(super) fn room_of(&self, client: usize) -> &Room {
        &self.rooms[self.args.room_of(client)]
    }

    /// A time on the run's clock, in microseconds.
    pub(super) fn clock_us(&self, time: Instant) -> u64 {
        u64::try_from(time.duration_since(self.origin).as_micros()).unwrap_or(u64::MAX)
    }

    /// A client is a member now.
    pub(super) fn joined(&self, client: usize) {
        self.room_of(client).members.fetch_add(1, Relaxed);
        self.joined.fetch_add(1, Relaxed);
    }

    /// A member is none any more.
    pub(super) fn left(&self) {
        self.left.fetch_add(1, Relaxed);
    }

    /// Whether no member is left.
    pub(super) fn is_deserted(&self) -> bool {
        self.left.load(Relaxed) == self.joined.load(Relaxed)
    }

    /// A client will never be one.
    pub(super) fn failed(&self, why: String) {
        self.errors.add(why);
        self.failed.fetch_add(1, Relaxed);
    }

    /// How many clients have joined, and how many have failed to.
    pub(super) fn arrivals(&self) -> (u64, u64) {
        (self.joined.load(Relaxed), self.failed.load(Relaxed))
    }

    /// Enters latencies in microseconds.
    pub(super) fn record(&self, latencies: impl Iterator<Item = u64>) {
        let mut all = self.latencies.lock();
        latencies.for_each(|latency| all.saturating_record(latency));
    }

    /// The latency that `quantile` of the deliveries kept, in milliseconds.
    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latencies.lock().value_at_quantile(quantile) as f64 / 1000.0
    }

    /// The latency that each of many shares of the deliveries kept, in milliseconds: a few for each halving of the rest.
    pub(super) fn percentiles(&self) -> Vec<(f64, f64)> {
        let latencies = self.latencies.lock();
        let points = latencies.iter_quantiles(POINTS_A_HALVING);
        points
            .map(|point| {
                let kept = point.value_iterated_to() as f64 / 1000.0;
                (point.quantile_iterated_to(), kept)
            })
            .collect()
    }

    /// The sums so far.
    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums {
            delivered: self.delivered.load(Relaxed),
            ..Sums::default()
        };
        for room in &self.rooms {
            let sent = room.sent.load(Relaxed);
            sums.sent += sent;
            sums.answered += room.answered.load(Relaxed);
            sums.expected +=
                sent.saturating_sub(room.refused.load(Relaxed)) * room.members.load(Relaxed);
        }
        sums
    }

    /// Whether everything that was to be sent has been, and all that should follow from it has come.
    pub(super) fn settled(&self, sums: Sums) -> bool {
        let all = self
            .args
            .messages()
            .map(|messages| messages.saturating_mul(self.rooms.len() as u64));
        (self.stop.is_cancelled() || all == Some(sums.sent))
            && sums.answered >= sums.sent
            && sums.delivered >= sums.expected
    }
}

/// What went wrong, by kind.
#[derive(Debug, Default)]
pub(super) struct Errors {
    kinds: Mutex<BTreeMap<String, u64>>,
    others: AtomicU64,
}

impl Errors {
    pub(super) fn add(&self, error: String) {
        self.add_many(error, 1);
    }

    pub(super) fn add_many(&self, error: String, number: u64) {
        let mut kinds = self.kinds.lock();
        if kinds.len() < MAX_KINDS || kinds.contains_key(&error) {
            *kinds.entry(error).or_default() += number;
        } else {
            self.others.fetch_add(number, Relaxed);
        }
    }

    /// Each kind with its number, and the number of all.
    pub(super) fn list(&self) -> (BTreeMap<String, u64>, u64) {
        let mut kinds = self.kinds.lock().clone();
        let others = self.others.load(Relaxed);
        if others > 0 {
            kinds.insert("others".to_owned(), others);
        }
        let all = kinds.values().sum();
        (kinds, all)
    }
}
