//! Announcements that are late, doubled or lost, and reads at any time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use anthill::Pool;
use proptest::prelude::*;

use super::*;
use crate::bus::{Bus, Doing, Ear, Heard, Then, Watch};
use crate::connection::Connection;
use crate::history::{History, Limits};
use crate::room::Common;
use crate::tally::Tally;

/// A bus that is never asked.
struct Mute;

impl Bus for Mute {
    fn watch(&self, _: Option<&str>, _: Weak<dyn Ear>) -> Watch {
        Watch::new(|| ())
    }

    fn catch_up(&self, _: Arc<dyn Ear>) {}

    fn append(&self, _: Message, _: Then) -> Doing<'_, Result<(), Away>> {
        Box::pin(std::future::ready(Err(Away)))
    }

    fn read<'a>(&'a self, _: &'a str, _: Option<u64>) -> Doing<'a, Result<Page, Away>> {
        Box::pin(std::future::ready(Err(Away)))
    }

    fn announce<'a>(&'a self, _: Option<&'a str>, _: Heard) -> Doing<'a, Result<(), Away>> {
        Box::pin(std::future::ready(Err(Away)))
    }

    fn enter<'a>(&'a self, _: &'a Arc<str>, _: &'a Connection) -> Doing<'a, Result<u32, Away>> {
        Box::pin(std::future::ready(Err(Away)))
    }

    fn leave(&self, _: &Arc<str>, _: u64) {}

    fn users<'a>(&'a self, _: &'a str, _: usize) -> Doing<'a, Result<Option<Vec<String>>, Away>> {
        Box::pin(std::future::ready(Err(Away)))
    }

    fn is_up(&self) -> bool {
        false
    }

    fn goes_on_alone(&self) -> bool {
        false
    }
}

fn state() -> State {
    let limits = Limits {
        messages: 1000,
        age: Duration::from_secs(3600),
        bytes: 1 << 20,
    };
    let common = Common {
        fanout: Pool::builder().capacity(1).build().expect("a pool"),
        history: History::new(limits),
        journal: None,
        bus: Some(Arc::new(Mute)),
        presence_limit: 0,
        tally: Tally::default(),
    };
    State::new("tea".into(), Arc::new(common))
}

fn message(seq: u64) -> Message {
    Message {
        seq,
        ts: clock::now_ms(),
        ..Message::default()
    }
}

/// What the bus has of a room: `kept` of its newest messages.
fn page(life: u64, newest: u64, kept: u64, after: Option<u64>, most: usize) -> Page {
    let oldest = newest.saturating_sub(kept) + 1;
    let from = after.map_or(oldest, |seq| oldest.max(seq + 1));
    Page {
        life,
        newest,
        messages: (from..=newest).take(most).map(message).collect(),
    }
}

/// Reads until nothing is missing.
fn read(state: &mut State, life: u64, newest: u64, kept: u64, most: usize) {
    for _ in 0..1000 {
        let after = state.read_after();
        // Of the newest all that is shown comes at once.
        let most = if after.is_some() { most } else { usize::MAX };
        let page = page(life, newest, kept, after, most);
        if matches!(state.fill(page, after, false), Filled::Whole) {
            return;
        }
    }
    panic!("it reads for ever");
}

/// The numbers of all that was delivered, as the log has them.
fn delivered(state: &State) -> Vec<u64> {
    let frames = state.log.before(None, usize::MAX);
    let text = frames.iter().map(|frame| String::from_utf8_lossy(frame));
    let seq = text.map(|text| {
        let (_, rest) = text.split_once("\"seq\":").expect("a message in JSON");
        let end = rest.find(',').expect("more follows");
        rest[..end].parse().expect("a number")
    });
    seq.collect()
}

#[derive(Clone, Debug)]
enum Step {
    /// So many are said.
    Say(u64),
    /// An announcement arrives, of a message so many before the newest.
    Announce(u64),
    /// A page is asked for, of so many at most.
    Ask(usize),
    /// It arrives, however old it is.
    Arrive,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u64..5).prop_map(Step::Say),
        (0_u64..6).prop_map(Step::Announce),
        (1_usize..4).prop_map(Step::Ask),
        Just(Step::Arrive),
    ]
}

proptest! {
    #[test]
    fn each_message_is_delivered_once_and_in_order(steps in prop::collection::vec(step(), 1..80)) {
        let mut state = state();
        let (mut newest, mut asked) = (0, None);
        read(&mut state, 1, newest, u64::MAX, 1);
        for step in steps.into_iter().chain([Step::Arrive]) {
            match step {
                Step::Say(count) => newest += count,
                Step::Announce(back) => {
                    let seq = newest.saturating_sub(back);
                    if seq > 0 {
                        state.hear(message(seq));
                    }
                }
                Step::Ask(most) if asked.is_none() => {
                    state.begin_reading();
                    let after = state.read_after();
                    asked = Some((page(1, newest, u64::MAX, after, most), after));
                }
                Step::Ask(_) => {}
                Step::Arrive => {
                    if let Some((page, after)) = asked.take() {
                        state.fill(page, after, false);
                        state.end_reading();
                    }
                }
            }
            let numbers: Vec<_> = (1..=state.log.newest()).collect();
            prop_assert_eq!(delivered(&state), numbers);
            prop_assert!(state.read_after().is_some(), "it began anew");
        }
        read(&mut state, 1, newest, u64::MAX, 2);
        prop_assert_eq!(state.log.newest(), newest);
    }
}

#[test]
fn what_is_announced_before_the_first_read_is_among_what_is_read() {
    let mut state = state();
    assert!(!state.hear(message(3)));
    assert!(delivered(&state).is_empty());
    read(&mut state, 1, 3, 2, 10);
    assert_eq!(delivered(&state), [2, 3]);
    assert!(!state.hear(message(3)) && !state.hear(message(4)));
    assert_eq!(delivered(&state), [2, 3, 4]);
}

#[test]
fn what_the_bus_has_no_more_is_left_out() {
    let mut state = state();
    read(&mut state, 1, 2, 10, 10);
    read(&mut state, 1, 9, 3, 10);
    assert_eq!((delivered(&state), state.log.newest()), (vec![7, 8, 9], 9));
    // All of it may be too old.
    read(&mut state, 1, 20, 0, 10);
    assert_eq!((delivered(&state), state.log.newest()), (vec![], 20));
}

#[test]
fn another_life_of_the_room_begins_anew() {
    let mut state = state();
    read(&mut state, 1, 5, 10, 10);
    read(&mut state, 2, 7, 10, 10);
    assert_eq!(delivered(&state), (1..=7).collect::<Vec<_>>());
    read(&mut state, 0, 0, 0, 10);
    assert_eq!(state.log.newest(), 0);
    read(&mut state, 3, 1, 10, 10);
    assert_eq!(delivered(&state), [1]);
}

#[test]
fn who_reads_is_told_that_more_was_missed() {
    let mut state = state();
    read(&mut state, 1, 1, 10, 10);
    assert!(state.begin_reading());
    assert!(!state.hear(message(9)), "somebody reads already");
    assert!(!state.begin_reading());
    assert!(state.end_reading());
    assert!(!state.end_reading());
    assert!(state.begin_reading());
}

#[test]
fn what_is_announced_while_the_first_page_is_on_its_way_is_read_then() {
    let mut state = state();
    assert!(state.begin_reading());
    let after = state.read_after();
    let empty = page(0, 0, 0, after, 10);
    assert!(!state.hear(message(1)) && !state.hear(message(2)));
    assert!(matches!(state.fill(empty, after, false), Filled::Whole));
    assert!(state.end_reading(), "there is more to read");
    read(&mut state, 1, 2, 10, 10);
    assert_eq!(delivered(&state), [1, 2]);
}
