//! Tests a place against a model of the server, over all orders of events.

use std::{collections::VecDeque, ops::RangeInclusive};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::frame::{Frame, MAX_PAYLOAD};

/// An event.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Other members publish so many messages.
    Publish(u64),
    /// They do, and the server misses them.
    Miss(u64),
    /// The server handles so many frames.
    Handle(usize),
    /// The client receives so many frames.
    Receive(usize),
    /// The connection is lost.
    Cut,
    /// The program requests the messages before a number.
    Request(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..10_u64).prop_map(Step::Publish),
        1 => (1..10_u64).prop_map(Step::Miss),
        4 => (1..4_usize).prop_map(Step::Handle),
        4 => (1..9_usize).prop_map(Step::Receive),
        1 => Just(Step::Cut),
        1 => (1..50_u64).prop_map(Step::Request),
    ]
}

/// One room of a server, with one client.
struct Server {
    newest: u64,
    /// How many messages it keeps, and how many it can send at once.
    kept: u64,
    fits: u64,
    is_member: bool,
    to_client: VecDeque<Value>,
}

impl Server {
    fn oldest(&self) -> u64 {
        self.newest.saturating_sub(self.kept) + 1
    }

    fn send(&mut self, numbers: RangeInclusive<u64>) {
        let message =
            |seq| json!({ "room": "tea", "seq": seq, "user": "bob", "text": "", "ts": 0 });
        self.to_client.extend(numbers.map(message));
    }

    fn publish(&mut self, count: u64) {
        self.newest += count;
        if self.is_member {
            self.send(self.newest - count + 1..=self.newest);
        }
    }

    fn miss(&mut self, count: u64) {
        self.newest += count;
        if self.is_member {
            self.send_joined(false);
        }
    }

    fn send_joined(&mut self, recovered: bool) {
        self.to_client.push_back(json!({
            "room": "tea", "seq": self.newest, "members": 1, "recovered": recovered, "epoch": "e"
        }));
    }

    fn handle_frame(&mut self, frame: &Bytes) {
        let frame = Frame::decode(frame, MAX_PAYLOAD).expect("a frame");
        let asked: Value = serde_json::from_slice(frame.payload).expect("JSON");
        if frame.kind == Kind::JOIN {
            let after = asked["after"].as_u64();
            let kept =
                |&seq: &u64| self.newest - seq <= self.kept && self.newest - seq <= self.fits;
            let after = after.filter(kept);
            self.is_member = true;
            self.send_joined(after.is_some());
            if let Some(after) = after {
                self.send(after + 1..=self.newest);
            }
        } else {
            let before = asked["before"].as_u64().unwrap_or(u64::MAX);
            let limit = asked["limit"].as_u64().expect("a number").min(self.fits);
            let to = self.newest.min(before - 1);
            self.send(self.oldest().max((to + 1).saturating_sub(limit))..=to);
        }
    }
}

struct World {
    server: Server,
    place: Place,
    made: Made,
    /// The reported numbers, and whether their messages are lost.
    reported: Vec<(u64, bool)>,
    histories: usize,
    recoveries: usize,
}

impl World {
    fn act(&mut self, step: Step) {
        match step {
            Step::Publish(count) => self.server.publish(count),
            Step::Miss(count) => self.server.miss(count),
            Step::Handle(count) => {
                let count = count.min(self.made.frames.len());
                for frame in self.made.frames.drain(..count) {
                    self.server.handle_frame(&frame);
                }
            }
            Step::Receive(count) => {
                let count = count.min(self.server.to_client.len());
                for payload in self.server.to_client.drain(..count) {
                    if payload["members"].is_number() {
                        let joined = serde_json::from_value(payload).expect("a payload");
                        self.place.on_joined(joined, &mut self.made);
                    } else {
                        let message = serde_json::from_value(payload).expect("a payload");
                        self.place.on_message(message, &mut self.made);
                    }
                }
            }
            Step::Cut => {
                self.made.frames.clear();
                self.server.to_client.clear();
                self.server.is_member = false;
                self.place.disconnected();
                self.place.join_room(&mut self.made);
            }
            Step::Request(before) => {
                self.place.request(Some(before), 5, &mut self.made);
            }
        }
        self.take_news();
    }

    fn take_news(&mut self) {
        for news in self.made.news.drain(..) {
            match news {
                News::Message(message) => self.reported.push((message.seq, false)),
                News::Lost { from, to, .. } => {
                    assert!(to < self.server.oldest(), "{to} is there");
                    self.reported.extend((from..=to).map(|seq| (seq, true)));
                }
                News::History { messages, .. } => {
                    self.histories += 1;
                    let numbers: Vec<_> = messages.iter().map(|message| message.seq).collect();
                    assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]));
                }
                News::Recovered { .. } => self.recoveries += 1,
                News::Joined(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn each_message_arrives_once_in_order_or_is_lost(
        steps in prop::collection::vec(step(), 1..200),
        kept in 0..60_u64,
        fits in 1..20_u64,
    ) {
        let mut world = World {
            server: Server { newest: 0, kept, fits, is_member: false, to_client: VecDeque::new() },
            place: Place::new("tea", Some(Position { epoch: "e".to_owned(), seq: 0 }), 1_000_000),
            made: Made::default(),
            reported: Vec::new(),
            histories: 0,
            recoveries: 0,
        };
        world.place.join_room(&mut world.made);
        let mut requested = 0;
        for step in steps {
            requested += usize::from(matches!(step, Step::Request(_)));
            world.act(step);
        }
        while !(world.made.frames.is_empty() && world.server.to_client.is_empty()) {
            world.act(Step::Handle(1));
            world.act(Step::Receive(1));
        }
        let numbers: Vec<_> = world.reported.iter().map(|&(seq, _)| seq).collect();
        prop_assert_eq!(numbers, (1..=world.server.newest).collect::<Vec<_>>());
        prop_assert_eq!(world.histories, requested);
        prop_assert!(world.recoveries > 0);
    }
}
