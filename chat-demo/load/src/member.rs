//! One client: connects, joins, plays its role, and checks the messages.

use std::fmt::Display;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{self, Payload};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::{Client, ClientError, Position, Received};
use serde::Deserialize;
use tokio::time::{Duration, sleep, timeout};

use super::ledger::Ledger;
use super::plan::Role;
use super::publisher::{Publisher, Stamp};
use super::shared::Shared;
use super::snapshot::Room;
use super::sources;

/// How long connecting and joining may take.
const JOIN_TIME: Duration = Duration::from_secs(30);
/// How often a slow reader reads a frame, and the size of its receive buffer.
const SLOWLY: Duration = Duration::from_millis(100);
const SMALL_BUFFER: u32 = 4096;
/// How many seconds a reconnecting client stays connected on average, and how long it stays away.
const CONNECTED: f64 = 10.0;
const AWAY_MS: std::ops::Range<u64> = 100..1000;
/// The close code of a client that is dropped as too slow.
const POLICY: u16 = 1008;

/// Runs one client until the end of the run.
pub(super) async fn run(shared: Arc<Shared>, number: usize) {
    let life = async {
        let role = shared.plan.role_of(number);
        let first = shared
            .take_turn(number, enter(&shared, number, role, None))
            .await;
        let (client, from) = match first {
            Ok(entered) => entered,
            Err(error) => {
                return shared.count(number, |counts| {
                    counts.failed += 1;
                    counts.add_error(error);
                });
            }
        };
        shared.count(number, |counts| counts.joined += 1);
        let ended = match role {
            Role::Idle => be_idle(client).await,
            Role::Slow => read_slowly(&shared, number, client).await,
            Role::Publisher(_) | Role::Listener | Role::Reconnecting => {
                shared.count_in_room(number, |room| room.members += 1);
                Member::new(&shared, number, role, from).live(client).await
            }
        };
        if let Err(why) = ended {
            shared.count(number, |counts| {
                counts.left += 1;
                counts.add_error(why);
            });
        }
    };
    tokio::select! {
        () = life => {}
        () = shared.done.cancelled() => {}
    }
}

/// Connects, and joins unless the client is idle. Returns the position in the room from which to
/// count: the last message seen, or the newest.
async fn enter(
    shared: &Shared,
    number: usize,
    role: Role,
    seen: Option<Position>,
) -> Result<(Client, Position), String> {
    let late = |_| format!("not joined within {} s", JOIN_TIME.as_secs());
    let entering = async {
        let mut client = introduce(shared, number, role).await?;
        if role == Role::Idle {
            let (epoch, seq) = (String::new(), 0);
            return Ok((client, Position { epoch, seq }));
        }
        let newest = join(shared, number, &mut client, seen.clone()).await?;
        Ok((client, seen.unwrap_or(newest)))
    };
    timeout(JOIN_TIME, entering).await.map_err(late)?
}

async fn introduce(shared: &Shared, number: usize, role: Role) -> Result<Client, String> {
    let hello = payload::Hello {
        name: Some(format!("load-{number}")),
        token: None,
    };
    let plan = &shared.plan;
    let buffer = (role == Role::Slow).then_some(SMALL_BUFFER);
    let connected = sources::connect(plan, number, buffer).await;
    let stream = connected.map_err(|error| format!("cannot connect: {error}"))?;
    let subprotocol = plan.args.encoding;
    let opened = Client::open_speaking(stream, &plan.args.target, &hello, subprotocol).await;
    opened.map_err(text)
}

async fn join(
    shared: &Shared,
    number: usize,
    client: &mut Client,
    seen: Option<Position>,
) -> Result<Position, String> {
    let room = shared.plan.room_name(shared.plan.room_of(number));
    let is_back = seen.is_some();
    let join = chat_demo_client::join(room, seen);
    client.say(&join).await.map_err(text)?;
    let subprotocol = client.subprotocol();
    loop {
        match next(client).await? {
            (Kind::JOINED, payload) => {
                let joined: payload::Joined = read(subprotocol, &payload)?;
                if is_back && !joined.recovered {
                    return Err(
                        "missed messages were deleted before the client reconnected".to_owned()
                    );
                }
                let payload::Joined { epoch, seq, .. } = joined;
                return Ok(Position { epoch, seq });
            }
            (Kind::ERROR, payload) => return Err(refusal(subprotocol, &payload)?),
            _ => {}
        }
    }
}

async fn be_idle(mut client: Client) -> Result<(), String> {
    loop {
        next(&mut client).await?;
    }
}

/// Reads the next frame, or returns why the connection ended.
async fn next(client: &mut Client) -> Result<(Kind, Bytes), String> {
    match client.next_frame().await {
        Some(Ok(Received::Frame(kind, payload))) => Ok((kind, payload)),
        Some(Ok(Received::Close(close))) => Err(text(ClientError::Closed(close))),
        Some(Err(error)) => Err(text(error)),
        None => Err("the connection ended".to_owned()),
    }
}

/// Reads more slowly than messages arrive, until the server drops the connection.
async fn read_slowly(shared: &Shared, number: usize, mut client: Client) -> Result<(), String> {
    loop {
        match client.next_frame().await {
            Some(Ok(Received::Frame(..))) => sleep(SLOWLY).await,
            Some(Ok(Received::Close(close))) if close.code != POLICY => {
                return Err(text(ClientError::Closed(close)));
            }
            // A dropped client gets a close, or finds the connection broken.
            _ => {
                shared.count(number, |counts| counts.dropped_slow += 1);
                return Ok(());
            }
        }
    }
}

/// A client that must get every message of its room.
struct Member<'a> {
    shared: &'a Shared,
    number: usize,
    role: Role,
    room: String,
    publisher: Option<Publisher>,
    ledger: Ledger,
    /// The epoch of the numbers in the ledger.
    epoch: String,
    /// When it reconnected. Latencies of earlier messages do not count.
    back: u64,
}

/// The part of a message that is checked, borrowed to avoid copies.
#[derive(Deserialize)]
struct Seen<'a> {
    room: &'a str,
    seq: u64,
    text: &'a str,
}

impl<'a> Member<'a> {
    fn new(shared: &'a Shared, number: usize, role: Role, from: Position) -> Self {
        let plan = &shared.plan;
        let room = plan.room_of(number);
        let publisher = match role {
            Role::Publisher(seat) => Some(Publisher::new(shared, number, seat)),
            _ => None,
        };
        Self {
            shared,
            number,
            role,
            room: plan.room_name(room),
            publisher,
            epoch: from.epoch,
            ledger: Ledger::new(from.seq, plan.publishers_of(room)),
            back: 0,
        }
    }

    /// Stays connected, or reconnects repeatedly. Returns why the client ended.
    async fn live(mut self, mut client: Client) -> Result<(), String> {
        loop {
            let role = self.role;
            let lost = async {
                if role == Role::Reconnecting {
                    // An exponential distribution: connections end independently of their age.
                    let seconds = -CONNECTED * (1.0 - fastrand::f64()).ln();
                    sleep(Duration::from_secs_f64(seconds)).await;
                } else {
                    pending::<()>().await;
                }
            };
            tokio::select! {
                ended = self.stay(&mut client) => return Err(ended),
                () = lost => {}
            }
            // Drop it without a close, like a failing network.
            drop(client);
            sleep(Duration::from_millis(fastrand::u64(AWAY_MS))).await;
            let (epoch, seq) = (self.epoch.clone(), self.ledger.newest());
            let seen = Some(Position { epoch, seq });
            (client, _) = enter(self.shared, self.number, self.role, seen).await?;
            self.back = self.shared.clock.now();
            let shared = self.shared;
            shared.count(self.number, |counts| counts.reconnects += 1);
        }
    }

    /// Publishes and reads. Returns why the connection ended.
    async fn stay(&mut self, client: &mut Client) -> String {
        let subprotocol = client.subprotocol();
        loop {
            let due = async {
                match &mut self.publisher {
                    Some(publisher) => publisher.due().await,
                    None => pending().await,
                }
            };
            let done = tokio::select! {
                biased;
                received = next(client) => received
                    .and_then(|(kind, payload)| self.take(subprotocol, kind, &payload)),
                due = due => self.publish(client, due).await,
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    async fn publish(&mut self, client: &mut Client, due: u64) -> Result<(), String> {
        let Some(publisher) = &mut self.publisher else {
            return Ok(());
        };
        let (text, id) = publisher.text(due);
        self.count(|room| room.sent += 1);
        let publish = payload::Publish {
            room: self.room.clone(),
            text,
            id: Some(id),
            key: None,
        };
        client.say(&publish).await.map_err(self::text)
    }

    fn take(&mut self, subprotocol: Subprotocol, kind: Kind, payload: &[u8]) -> Result<(), String> {
        match kind {
            Kind::MESSAGE if subprotocol == Subprotocol::Protobuf => {
                let message: payload::Message = read(subprotocol, payload)?;
                self.check(&message.room, message.seq, &message.text);
            }
            Kind::MESSAGE => {
                let Seen { room, seq, text } = serde_json::from_slice(payload).map_err(text)?;
                self.check(room, seq, text);
            }
            Kind::ACK => self.answered(),
            Kind::ERROR => {
                self.count(|room| room.refused += 1);
                self.answered();
                self.add_error(refusal(subprotocol, payload)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&self, count: impl FnOnce(&mut Room)) {
        self.shared.count_in_room(self.number, count);
    }

    fn answered(&mut self) {
        self.count(|room| room.answered += 1);
        if let Some(publisher) = &mut self.publisher {
            publisher.answered();
        }
    }

    fn add_error(&self, error: String) {
        self.shared
            .count(self.number, |counts| counts.add_error(error));
    }

    fn check(&mut self, room: &str, seq: u64, text: &str) {
        let ours = |stamp: &Stamp| room == self.room && self.ledger.knows(stamp.publisher);
        let Some(stamp) = Stamp::read(text).filter(ours) else {
            let error = format!("a message that this run did not send, in {room:?}");
            return self.add_error(error);
        };
        let now = self.shared.clock.now();
        let place = self.ledger.add(seq, stamp.publisher, stamp.number);
        let latency = (stamp.due >= self.back).then(|| now.saturating_sub(stamp.due));
        self.shared.delivered(self.number, place, now, latency);
    }
}

fn read<P: Payload>(subprotocol: Subprotocol, payload: &[u8]) -> Result<P, String> {
    subprotocol.read(payload).map_err(text)
}

fn refusal(subprotocol: Subprotocol, payload: &[u8]) -> Result<String, String> {
    let payload::Error { code, message, .. } = read(subprotocol, payload)?;
    let known = payload::ErrorCode::try_from(code);
    let code = known.map_or(code.to_string(), |code| format!("{code:?}"));
    Ok(format!("refused as {code}: {message}"))
}

fn text(error: impl Display) -> String {
    error.to_string()
}
