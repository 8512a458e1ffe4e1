use serde_json::{Value, json};

use super::*;
use crate::frame::{Frame, MAX_PAYLOAD};

const EPOCH: &str = "first";
const NEXT: &str = "second";

fn at(seq: u64) -> Position {
    let epoch = EPOCH.to_owned();
    Position { epoch, seq }
}

/// A place, and a server's side of the conversation.
struct Room {
    place: Place,
    made: Made,
}

impl Room {
    /// Creates a room that the client has joined at a number.
    fn at(seq: u64) -> Self {
        let mut room = Self::new(None, 1000);
        room.rejoined(seq, false);
        assert_eq!(room.news(), [format!("joined {seq}")]);
        room
    }

    fn new(after: Option<u64>, max_held: usize) -> Self {
        let mut room = Self {
            place: Place::new("tea", after.map(at), max_held),
            made: Made::default(),
        };
        room.place.join_room(&mut room.made);
        assert_eq!(room.asked(), [join(after)]);
        room
    }

    fn reconnect(&mut self) {
        self.place.disconnected();
        self.place.join_room(&mut self.made);
    }

    fn rejoined(&mut self, seq: u64, recovered: bool) {
        self.rejoined_in(EPOCH, seq, recovered);
    }

    fn rejoined_in(&mut self, epoch: &str, seq: u64, recovered: bool) {
        let joined = json!({
            "room": "tea", "seq": seq, "members": 1, "recovered": recovered, "epoch": epoch
        });
        let joined = serde_json::from_value(joined).expect("a payload");
        self.place.on_joined(joined, &mut self.made);
    }

    fn say(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for seq in numbers {
            let message = Message {
                room: "tea".to_owned(),
                seq,
                user: String::new(),
                text: String::new(),
                ts: 0,
            };
            self.place.on_message(message, &mut self.made);
        }
    }

    /// The server has sent a page.
    fn page(&mut self, numbers: impl IntoIterator<Item = u64>, newest: u64) {
        self.say(numbers);
        self.rejoined(newest, false);
    }

    fn news(&mut self) -> Vec<String> {
        let news = self.made.news.drain(..);
        news.map(|news| match news {
            News::Joined(joined) => format!("joined {}", joined.seq),
            News::Message(message) => message.seq.to_string(),
            News::Recovered { messages, .. } => format!("recovered {messages}"),
            News::Lost { from, to, .. } => format!("lost {from}-{to}"),
            News::Renumbered { seq, epoch, .. } => format!("renumbered {seq} in {epoch}"),
            News::History { messages, .. } => {
                let numbers = messages.iter().map(|message| message.seq.to_string());
                format!("history {}", numbers.collect::<Vec<_>>().join(","))
            }
            other => panic!("{other:?}"),
        })
        .collect()
    }

    fn asked(&mut self) -> Vec<(Kind, Value)> {
        let frames = self.made.frames.drain(..);
        frames
            .map(|frame| {
                let frame = Frame::decode(&frame, MAX_PAYLOAD).expect("a frame");
                let payload = serde_json::from_slice(frame.payload).expect("JSON");
                (frame.kind, payload)
            })
            .collect()
    }
}

fn join(after: Option<u64>) -> (Kind, Value) {
    let payload = match after {
        Some(after) => json!({ "room": "tea", "after": after, "epoch": EPOCH }),
        None => json!({ "room": "tea" }),
    };
    (Kind::JOIN, payload)
}

fn page(before: u64, limit: u64) -> [(Kind, Value); 2] {
    let payload = json!({ "room": "tea", "before": before, "limit": limit });
    [(Kind::HISTORY, payload), join(None)]
}

fn numbers(range: impl IntoIterator<Item = u64>) -> Vec<String> {
    range.into_iter().map(|seq| seq.to_string()).collect()
}

#[test]
fn messages_arrive_once_and_in_order() {
    let mut room = Room::at(7);
    room.say([8, 9, 9, 8, 7, 10]);
    assert_eq!(room.news(), numbers(8..=10));
    assert_eq!(room.asked(), []);
}

#[test]
fn repeated_messages_are_reported_and_counted() {
    let mut room = Room::at(0);
    room.say(1..=3);
    room.reconnect();
    assert_eq!(room.asked(), [join(Some(3))]);
    room.news();
    room.rejoined(5, true);
    room.say(4..=6);
    assert_eq!(room.news(), ["4", "5", "recovered 2", "6"]);
    assert_eq!(room.asked(), []);
}

#[test]
fn an_empty_recovery_is_reported() {
    for recovered in [true, false] {
        let mut room = Room::at(3);
        room.reconnect();
        room.rejoined(3, recovered);
        assert_eq!(room.news(), ["recovered 0"]);
    }
}

#[test]
fn a_restarted_program_recovers_like_a_connection() {
    let mut room = Room::new(Some(3), 100);
    room.rejoined(4, true);
    room.say([4]);
    assert_eq!(room.news(), ["joined 4", "4", "recovered 1"]);
}

#[test]
fn gaps_are_fetched_by_pages_and_delivered_in_order() {
    let mut room = Room::at(10);
    room.reconnect();
    room.asked();
    room.rejoined(150, false);
    assert_eq!(room.asked(), page(151, 64));
    // Messages that arrive meanwhile wait.
    room.page((87..=150).chain([151]), 151);
    assert_eq!(room.asked(), page(87, 64));
    room.page(23..=86, 151);
    assert_eq!(room.asked(), page(23, 12));
    assert_eq!(room.news(), [""; 0]);
    room.page(11..=22, 151);
    let mut expected = numbers(11..=150);
    expected.extend(["recovered 140".to_owned(), "151".to_owned()]);
    assert_eq!(room.news(), expected);
    assert_eq!(room.asked(), []);
}

#[test]
fn only_deleted_messages_are_lost() {
    let mut room = Room::at(10);
    room.reconnect();
    room.asked();
    room.rejoined(20, false);
    assert_eq!(room.asked(), page(21, 10));
    room.page(18..=20, 20);
    assert_eq!(room.asked(), page(18, 7));
    room.page([], 20);
    assert_eq!(room.news(), ["lost 11-17", "18", "19", "20", "recovered 3"]);
    room.say([21]);
    assert_eq!(room.news(), ["21"]);
}

#[test]
fn all_missed_messages_may_be_lost() {
    let mut room = Room::at(10);
    room.reconnect();
    room.rejoined(20, false);
    room.page([21], 21);
    assert_eq!(room.news(), ["lost 11-20", "recovered 0", "21"]);
}

#[test]
fn a_gap_among_messages_is_closed() {
    let mut room = Room::at(0);
    room.say([1, 4]);
    assert_eq!(room.news(), ["1"]);
    assert_eq!(room.asked(), page(4, 2));
    room.say([5]);
    assert_eq!(room.asked(), [], "one at a time");
    room.page(2..=3, 5);
    assert_eq!(room.news(), numbers(2..=5));
}

#[test]
fn a_gap_in_a_recovery_is_closed() {
    let mut room = Room::at(0);
    room.reconnect();
    room.asked();
    room.rejoined(4, true);
    room.say([1, 4]);
    assert_eq!(room.asked(), page(4, 2));
    room.page([3], 4);
    room.asked();
    room.page([], 4);
    assert_eq!(room.news(), ["1", "lost 2-2", "3", "4", "recovered 3"]);
}

#[test]
fn held_messages_are_bounded() {
    let mut room = Room::new(Some(0), 3);
    room.rejoined(5, false);
    room.asked();
    room.say(6..=8);
    assert_eq!(room.news(), ["joined 5"]);
    room.say([9]);
    assert_eq!(room.news(), ["lost 1-5", "recovered 0", "6", "7", "8", "9"]);
    // The answer is late.
    room.page(1..=5, 9);
    assert_eq!(room.news(), [""; 0]);
    room.say([10]);
    assert_eq!(room.news(), ["10"]);
}

#[test]
fn held_messages_survive_a_lost_connection() {
    let mut room = Room::at(0);
    room.say([3]);
    room.reconnect();
    room.asked();
    room.rejoined(3, false);
    assert_eq!(room.asked(), page(3, 2));
    room.page([], 3);
    assert_eq!(room.news(), ["lost 1-2", "3", "recovered 1"]);
}

#[test]
fn a_new_epoch_is_detected_after_reconnecting() {
    let mut room = Room::at(10);
    room.say([12]);
    room.reconnect();
    room.asked();
    room.rejoined_in(NEXT, 2, false);
    assert_eq!(room.news(), ["lost 11-11", "12", "renumbered 2 in second"]);
    assert_eq!(room.asked(), page(3, 2));
    room.say(1..=2);
    room.rejoined_in(NEXT, 2, false);
    assert_eq!(room.news(), ["1", "2", "recovered 2"]);
    room.say([3]);
    assert_eq!(room.news(), ["3"]);
}

#[test]
fn a_new_epoch_with_higher_numbers_is_detected() {
    let mut room = Room::at(5);
    room.reconnect();
    room.asked();
    room.rejoined_in(NEXT, 8, false);
    assert_eq!(room.news(), ["renumbered 8 in second"]);
    assert_eq!(room.asked(), page(9, 8));
    room.say(1..=8);
    room.rejoined_in(NEXT, 8, false);
    let mut expected = numbers(1..=8);
    expected.push("recovered 8".to_owned());
    assert_eq!(room.news(), expected);
    assert_eq!(
        room.place.last.as_ref(),
        Some(&Position {
            epoch: NEXT.to_owned(),
            seq: 8
        })
    );
}

#[test]
fn a_server_that_lags_causes_no_repetition() {
    let mut room = Room::at(5);
    room.say([6, 7]);
    assert_eq!(room.news(), ["6", "7"]);
    room.reconnect();
    room.asked();
    room.rejoined(5, false);
    assert_eq!(room.news(), ["recovered 0"]);
    room.say([6, 7, 8]);
    assert_eq!(room.news(), ["8"]);
    assert_eq!(room.asked(), []);
}

#[test]
fn a_new_epoch_outdates_pending_requests() {
    let mut room = Room::at(0);
    room.say([3]);
    room.place.request(Some(3), 2, &mut room.made);
    assert_eq!(room.asked().len(), 4);
    room.rejoined_in(NEXT, 1, false);
    assert_eq!(
        room.news(),
        ["lost 1-2", "3", "renumbered 1 in second"],
        "the held message is delivered"
    );
    assert_eq!(room.asked(), page(2, 1));
    // The answers to the requests of the first epoch: nothing, and a page.
    room.rejoined_in(NEXT, 1, false);
    room.say([1]);
    room.rejoined_in(NEXT, 1, false);
    assert_eq!(room.news(), ["1", "recovered 1", "history 1"]);
    room.say([1]);
    room.rejoined_in(NEXT, 1, false);
    room.say([2]);
    assert_eq!(room.news(), ["2"]);
}

#[test]
fn history_is_distinct_from_new_messages() {
    let mut room = Room::at(5);
    room.place.request(Some(4), 2, &mut room.made);
    room.place.request(None, 9, &mut room.made);
    assert_eq!(
        room.asked(),
        [page(4, 2).to_vec(), {
            let payload = json!({ "room": "tea", "limit": 9 });
            vec![(Kind::HISTORY, payload), join(None)]
        }]
        .concat()
    );
    room.say([6]);
    room.page(2..=3, 6);
    room.page(4..=6, 6);
    assert_eq!(room.news(), ["6", "history 2,3", "history 4,5,6"]);
}

#[test]
fn history_is_requested_again_after_reconnecting() {
    let mut room = Room::at(5);
    room.place.request(None, 2, &mut room.made);
    room.say([4]);
    room.reconnect();
    room.asked();
    room.rejoined(5, true);
    assert_eq!(room.asked().len(), 2);
    room.page(4..=5, 5);
    assert_eq!(room.news(), ["recovered 0", "history 4,5"]);
}

#[test]
fn numbers_end_where_integers_end() {
    let mut room = Room::at(u64::MAX - 1);
    room.say([u64::MAX]);
    room.page([], u64::MAX);
    assert_eq!(room.news(), [u64::MAX.to_string()]);
    assert_eq!(room.asked(), []);
}

#[test]
fn a_new_epoch_is_detected_while_connected() {
    let mut room = Room::at(5);
    room.say([6, 7]);
    assert_eq!(room.news(), ["6", "7"]);
    room.rejoined_in(NEXT, 2, false);
    assert_eq!(room.news(), ["renumbered 2 in second"]);
    assert_eq!(
        room.asked().len(),
        2,
        "the messages of the epoch, and the end of the page"
    );
    room.say([1, 2]);
    room.rejoined_in(NEXT, 2, false);
    assert_eq!(room.news(), ["1", "2", "recovered 2"]);
    room.say([3]);
    assert_eq!(room.news(), ["3"]);
}

#[test]
fn join_that_succeeds_after_its_refusal_is_not_repeated() {
    let mut room = Room::new(None, 1000);
    assert!(room.place.on_not_joined());
    room.rejoined(3, false);
    assert!(!room.place.refused && !room.place.on_not_joined());
}
