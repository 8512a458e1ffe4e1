//! One client of the swarm: connects, joins, perhaps publishes, and checks what comes.

use std::{
    fmt::Display,
    future::pending,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::{
    ledger::{Counts, Ledger},
    publisher::{Publisher, Stamp},
    swarm::{Room, Swarm},
};
use crate::{
    client::{Client, Received},
    frame::Kind,
    payload,
};

/// How long connecting and joining may take.
const JOIN_TIME: Duration = Duration::from_secs(30);
/// Latencies are handed in by so many, lest all wait for the one histogram.
const LATENCIES: usize = 32;

/// What a member did.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) counts: Counts,
    pub(super) last_delivery: Option<Instant>,
}

/// The part of a message that is looked at, borrowed: there are many.
#[derive(Deserialize)]
struct Seen<'a> {
    room: &'a str,
    seq: u64,
    text: &'a str,
}

/// Lives the life of one client, until the swarm is done.
pub(super) async fn run(swarm: Arc<Swarm>, number: usize) -> Outcome {
    let mut done = pin!(swarm.done.cancelled());
    let joined = tokio::select! {
        joined = join(&swarm, number) => joined,
        () = &mut done => return Outcome::default(),
    };
    let (client, after) = match joined {
        Ok(joined) => joined,
        Err(error) => {
            swarm.failed(error);
            return Outcome::default();
        }
    };
    swarm.joined(number);
    let mut member = Member::new(&swarm, number, client, after);
    tokio::select! {
        ended = member.stay() => swarm.errors.add(ended),
        () = done => {}
    }
    swarm.left();
    member.hand_in();
    Outcome {
        counts: member.ledger.counts,
        last_delivery: member.last_delivery,
    }
}

/// Takes its turn to connect and join; tells the number after which the room's messages will come.
async fn join(swarm: &Swarm, number: usize) -> Result<(Client, u64), String> {
    let _turn = swarm.connecting.acquire().await;
    let late = |_| format!("not joined within {} s", JOIN_TIME.as_secs());
    timeout(JOIN_TIME, introduce(swarm, number))
        .await
        .map_err(late)?
}

async fn introduce(swarm: &Swarm, number: usize) -> Result<(Client, u64), String> {
    let hello = payload::Hello {
        name: Some(format!("load-{number}")),
        token: None,
    };
    let connected = swarm.sources.connect(swarm.address, number).await;
    let stream = connected.map_err(|error| format!("cannot connect: {error}"))?;
    let mut client = Client::open(stream, &swarm.args.target, &hello)
        .await
        .map_err(text)?;
    client
        .join(&swarm.room_of(number).name, None)
        .await
        .map_err(text)?;
    while let Some(received) = client.next_frame().await {
        match received.map_err(text)? {
            Received::Frame(Kind::JOINED, payload) => {
                let joined: payload::Joined = read(&payload)?;
                return Ok((client, joined.seq));
            }
            Received::Frame(Kind::ERROR, payload) => return Err(refusal(&payload)?),
            Received::Frame(..) => {}
            Received::Close { code, reason } => return Err(closed(code, &reason)),
        }
    }
    Err("the connection ended while joining".to_owned())
}

struct Member<'a> {
    swarm: &'a Swarm,
    room: &'a Room,
    client: Client,
    publisher: Option<Publisher>,
    ledger: Ledger,
    latencies: Vec<u64>,
    last_delivery: Option<Instant>,
}

impl<'a> Member<'a> {
    fn new(swarm: &'a Swarm, number: usize, client: Client, after: u64) -> Self {
        let args = &swarm.args;
        Self {
            swarm,
            room: swarm.room_of(number),
            client,
            publisher: Publisher::of(args, number, swarm.start.subscribe(), swarm.stop.clone()),
            ledger: Ledger::new(after, args.publishers_of(args.room_of(number))),
            latencies: Vec::new(),
            last_delivery: None,
        }
    }

    /// Publishes and reads until something ends it; tells what.
    async fn stay(&mut self) -> String {
        loop {
            let due = async {
                match &mut self.publisher {
                    Some(publisher) => publisher.due().await,
                    None => pending().await,
                }
            };
            let done = tokio::select! {
                biased;
                received = self.client.next_frame() => match received {
                    Some(Ok(received)) => self.take(&received),
                    Some(Err(error)) => Err(text(error)),
                    None => Err("the connection ended".to_owned()),
                },
                due = due => self.publish(due).await,
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    async fn publish(&mut self, due: Instant) -> Result<(), String> {
        let Some(publisher) = &mut self.publisher else {
            return Ok(());
        };
        let (words, id) = publisher.text(self.swarm.clock_us(due));
        self.room.sent.fetch_add(1, Relaxed);
        self.client
            .publish(&self.room.name, &words, Some(&id))
            .await
            .map_err(text)
    }

    fn take(&mut self, received: &Received) -> Result<(), String> {
        match received {
            Received::Frame(Kind::MESSAGE, payload) => self.check(payload)?,
            Received::Frame(Kind::ACK, _) => self.answered(),
            Received::Frame(Kind::ERROR, payload) => {
                self.room.refused.fetch_add(1, Relaxed);
                self.answered();
                self.swarm.errors.add(refusal(payload)?);
            }
            Received::Frame(..) => {}
            Received::Close { code, reason } => return Err(closed(*code, reason)),
        }
        Ok(())
    }

    fn answered(&mut self) {
        self.room.answered.fetch_add(1, Relaxed);
        if let Some(publisher) = &mut self.publisher {
            publisher.answered();
        }
    }

    fn check(&mut self, payload: &[u8]) -> Result<(), String> {
        let seen: Seen<'_> = read(payload)?;
        let ours =
            |stamp: &Stamp| seen.room == self.room.name && self.ledger.knows(stamp.publisher);
        let Some(stamp) = Stamp::read(seen.text).filter(ours) else {
            self.swarm.errors.add(format!(
                "a message that this run did not send, in {:?}",
                seen.room
            ));
            return Ok(());
        };
        let now = Instant::now();
        if self.ledger.enter(seen.seq, stamp.publisher, stamp.number) {
            self.swarm.delivered.fetch_add(1, Relaxed);
            self.last_delivery = Some(now);
            self.latencies
                .push(self.swarm.clock_us(now).saturating_sub(stamp.due_us));
            if self.latencies.len() == LATENCIES {
                self.hand_in();
            }
        }
        Ok(())
    }

    fn hand_in(&mut self) {
        self.swarm.record(self.latencies.drain(..));
    }
}

fn read<'a, P: Deserialize<'a>>(payload: &'a [u8]) -> Result<P, String> {
    serde_json::from_slice(payload).map_err(text)
}

fn refusal(payload: &[u8]) -> Result<String, String> {
    let payload::Error { code, message, .. } = read(payload)?;
    Ok(format!("refused as {code:?}: {message}"))
}

fn closed(code: u16, reason: &str) -> String {
    format!("closed by the server: {code} {reason}")
}

fn text(error: impl Display) -> String {
    error.to_string()
}
