//! Announcements that are late, doubled or lost, and reads at any time.

use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use anthill::Pool;
use chat_demo_client::wire::Parcel;
use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::*;
use crate::bus::{Answer, Bus, BusListener, Then, Watch};
use crate::clock;
use crate::connection::Connection;
use crate::history::{History, Limits};
use crate::outbox;
use crate::room::Common;
use crate::room::flow::Flow;
use crate::tally::Tally;

/// A bus that does not answer.
struct Silent;

impl Bus for Silent {
    fn watch(&self, _: Option<&str>, _: Weak<dyn BusListener>) -> Watch {
        Watch::new(|| ())
    }

    fn catch_up(&self, _: Arc<dyn BusListener>) {}

    fn catch_up_after(&self, _: BoxFuture<'static, ()>, _: Arc<dyn BusListener>) {}

    fn append(&self, _: Message, _: Option<String>, _: Then) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn read<'a>(&'a self, _: &'a str, _: Option<u64>) -> Answer<'a, Page> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn recent<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Message>> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn fork<'a>(&'a self, _: &'a str, _: Epoch) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn announce<'a>(&'a self, _: Option<&'a str>, _: &'a Parcel) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn enter<'a>(&'a self, _: &'a Arc<str>, _: &'a Connection) -> Answer<'a, u32> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn restore_members<'a>(&'a self, _: &'a Arc<str>) -> Answer<'a, u32> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn leave(&self, _: &Arc<str>, _: u64) {}

    fn users<'a>(&'a self, _: &'a str, _: usize) -> Answer<'a, Option<Vec<String>>> {
        Box::pin(std::future::ready(Err(BusUnavailable)))
    }

    fn is_up(&self) -> bool {
        false
    }

    fn goes_on_alone(&self) -> bool {
        false
    }
}

const LIMITS: outbox::Limits = outbox::Limits {
    frames: 8,
    bytes: 1000,
    patience: Duration::ZERO,
};

pub(super) fn state() -> State {
    let limits = Limits {
        messages: 1000,
        age: Duration::from_secs(3600),
        bytes: 1 << 20,
        room_bytes: 1 << 20,
        user_bytes: 1 << 20,
        rooms: 10,
    };
    let common = Common {
        fanout: Pool::builder().capacity(1).build().expect("a pool"),
        pages: Pool::builder().capacity(1).build().expect("a pool"),
        searches: Pool::builder().capacity(1).build().expect("a pool"),
        outbox: LIMITS,
        history: History::new(limits),
        journal: None,
        bus: Some(Arc::new(Silent)),
        presence_limit: 0,
        tally: Tally::default(),
    };
    let log = common.history.log(&"tea".into());
    let flow = Arc::new(Flow::new(&LIMITS));
    State::new("tea".into(), log, Arc::new(common), flow)
}

/// A number has the same text each time; `telling` distinguishes numbers that were given again.
fn message(telling: &str, seq: u64) -> Message {
    static NOW: LazyLock<u64> = LazyLock::new(clock::now_ms);
    Message {
        seq,
        text: telling.to_owned(),
        ts: *NOW + seq,
        ..Message::default()
    }
}

fn mark(telling: &str, seq: u64) -> Option<Mark> {
    (seq > 0).then(|| Mark::of(&message(telling, seq)))
}

fn epoch(number: u64) -> Epoch {
    Epoch::from_bits(number)
}

/// What is announced in the first epoch.
pub(super) fn announced(seq: u64) -> Announced {
    announced_in(1, "", seq)
}

fn announced_in(number: u64, telling: &str, seq: u64) -> Announced {
    Announced {
        epoch: epoch(number),
        before: mark(telling, seq - 1),
        message: message(telling, seq),
    }
}

/// What the bus has of a room: `kept` of its newest messages.
pub(super) fn page(number: u64, newest: u64, kept: u64, asked: Option<Asked>, most: usize) -> Page {
    page_of(number, "", newest, kept, asked, most)
}

fn page_of(
    number: u64,
    telling: &str,
    newest: u64,
    kept: u64,
    asked: Option<Asked>,
    most: usize,
) -> Page {
    let oldest = newest.saturating_sub(kept) + 1;
    let from = asked.map_or(oldest, |asked| oldest.max(asked.seq + 1));
    let messages = (from..=newest).take(most);
    let before = asked.filter(|asked| asked.seq == newest || asked.seq >= oldest);
    Page {
        epoch: (number > 0).then(|| epoch(number)),
        newest,
        tip: mark(telling, newest),
        before: before.and_then(|asked| mark(telling, asked.seq)),
        messages: messages.map(|seq| message(telling, seq)).collect(),
    }
}

/// Reads until nothing is missing.
fn read(state: &mut State, number: u64, newest: u64, kept: u64, most: usize) {
    for _ in 0..1000 {
        let after = state.read_after();
        // Of the newest all that is shown comes at once.
        let most = if after.is_some() { most } else { usize::MAX };
        let page = page(number, newest, kept, after, most);
        if state.fill(page, after, None) == Filled::Whole {
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
                        state.on_announced(announced(seq));
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
                        state.fill(page, after, None);
                        state.end_reading();
                    }
                }
            }
            let numbers: Vec<_> = (1..=state.log.newest().seq).collect();
            prop_assert_eq!(delivered(&state), numbers);
            prop_assert!(state.read_after().is_some(), "it began anew");
        }
        read(&mut state, 1, newest, u64::MAX, 2);
        prop_assert_eq!(state.log.newest().seq, newest);
    }
}

#[test]
fn announcements_before_the_first_read_are_read() {
    let mut state = state();
    assert!(!state.on_announced(announced(3)));
    assert!(delivered(&state).is_empty());
    read(&mut state, 1, 3, 2, 10);
    assert_eq!(delivered(&state), [2, 3]);
    assert!(!state.on_announced(announced(3)) && !state.on_announced(announced(4)));
    assert_eq!(delivered(&state), [2, 3, 4]);
}

#[test]
fn messages_deleted_from_the_bus_are_skipped() {
    let mut state = state();
    read(&mut state, 1, 2, 10, 10);
    read(&mut state, 1, 9, 3, 10);
    assert_eq!(
        (delivered(&state), state.log.newest().seq),
        (vec![7, 8, 9], 9)
    );
    // What follows the newest is delivered, although the newest is gone.
    let asked = state.read_after();
    let filled = state.fill(page(1, 11, 2, asked, 10), asked, None);
    assert_eq!(filled, Filled::Whole);
    assert_eq!(delivered(&state), [7, 8, 9, 10, 11]);
    // All of it may be too old.
    read(&mut state, 1, 20, 0, 10);
    assert_eq!((delivered(&state), state.log.newest().seq), (vec![], 20));
}

#[test]
fn another_epoch_of_the_room_begins_anew() {
    let mut state = state();
    read(&mut state, 1, 5, 10, 10);
    read(&mut state, 2, 7, 10, 10);
    assert_eq!(delivered(&state), (1..=7).collect::<Vec<_>>());
    read(&mut state, 0, 0, 0, 10);
    assert_eq!(state.log.newest().seq, 0);
    read(&mut state, 3, 1, 10, 10);
    assert_eq!(delivered(&state), [1]);
}

#[test]
fn reader_is_notified_that_more_was_missed() {
    let mut state = state();
    read(&mut state, 1, 1, 10, 10);
    assert!(state.begin_reading());
    assert!(!state.on_announced(announced(9)), "somebody reads already");
    assert!(!state.begin_reading());
    assert!(state.end_reading());
    assert!(!state.end_reading());
    assert!(state.begin_reading());
}

#[test]
fn announcements_during_the_first_read_are_read_next() {
    let mut state = state();
    assert!(state.begin_reading());
    let after = state.read_after();
    let empty = page(0, 0, 0, after, 10);
    assert!(!state.on_announced(announced(1)) && !state.on_announced(announced(2)));
    assert_eq!(state.fill(empty, after, None), Filled::Whole);
    assert!(state.end_reading(), "there is more to read");
    read(&mut state, 1, 2, 10, 10);
    assert_eq!(delivered(&state), [1, 2]);
}

#[test]
fn announcement_of_another_epoch_is_read() {
    let mut state = state();
    read(&mut state, 1, 7, 10, 10);
    for seq in 1..=3 {
        assert!(
            state.on_announced(announced_in(2, "", seq)),
            "{seq} is missing"
        );
    }
    assert_eq!(state.log.newest().epoch, epoch(1));
    read(&mut state, 2, 3, 10, 10);
    assert_eq!(delivered(&state), [1, 2, 3]);
    assert_eq!(state.log.newest().epoch, epoch(2));
    assert!(!state.on_announced(announced_in(2, "", 4)));
    assert_eq!(delivered(&state), [1, 2, 3, 4]);
}

#[test]
fn stand_in_another_epoch_or_ahead_is_read() {
    let mut state = state();
    let stand = |number, seq| Position {
        epoch: epoch(number),
        seq,
    };
    assert!(!state.compare(stand(1, 3)), "the first read comes");
    read(&mut state, 1, 3, 10, 10);
    assert!(!state.compare(stand(1, 3)) && !state.compare(stand(1, 2)));
    assert!(state.compare(stand(1, 4)) && state.compare(stand(2, 0)));
}

/// The bus knew five messages in the first epoch, and lost the last two.
fn lost_two() -> State {
    let mut state = state();
    read(&mut state, 1, 3, 10, 10);
    for seq in [4, 5] {
        assert!(!state.on_announced(announced(seq)));
    }
    assert_eq!(delivered(&state), [1, 2, 3, 4, 5]);
    state
}

#[test]
fn numbers_that_went_back_are_noticed_by_a_read() {
    let mut state = lost_two();
    let asked = state.read_after();
    for newest in [3, 4] {
        let page = page_of(1, "again", newest, 10, asked, 10);
        let went_back = Filled::WentBack(epoch(1));
        assert_eq!(state.fill(page, asked, None), went_back, "{newest}");
    }
}

#[test]
fn numbers_that_were_overtaken_are_noticed_by_a_read() {
    for newest in [5, 6, 9] {
        let mut state = lost_two();
        let asked = state.read_after();
        let page = page_of(1, "again", newest, 10, asked, 10);
        let went_back = Filled::WentBack(epoch(1));
        assert_eq!(state.fill(page, asked, None), went_back, "{newest}");
        assert_eq!(delivered(&state), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn numbers_that_went_back_are_noticed_by_an_announcement() {
    for seq in [4, 5, 6, 9] {
        let mut state = lost_two();
        assert!(state.on_announced(announced_in(1, "again", seq)), "{seq}");
        assert_eq!(delivered(&state), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn room_without_an_epoch_in_the_bus_has_one_for_a_while() {
    let mut state = state();
    read(&mut state, 0, 0, 0, 10);
    let before = state.log.newest();
    read(&mut state, 0, 0, 0, 10);
    assert_eq!(state.log.newest(), before);
    assert!(state.on_announced(announced_in(3, "", 1)));
    read(&mut state, 3, 1, 10, 10);
    assert_eq!(delivered(&state), [1]);
}
