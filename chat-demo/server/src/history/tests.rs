//! Which messages are kept, how long, and under which numbers.

use super::*;

const ROOMY: Limits = Limits {
    messages: 3,
    age: Duration::from_secs(60),
    bytes: 1000,
    room_bytes: 1000,
    user_bytes: 1000,
    rooms: 1000,
};

fn say(log: &Log, count: usize) {
    for _ in 0..count {
        log.append("ann", None, |seq| (seq.to_string().into(), ()));
    }
}

fn at(log: &Log, seq: u64) -> Position {
    let epoch = log.newest().epoch;
    Position { epoch, seq }
}

fn texts(frames: &[Bytes]) -> Vec<&str> {
    frames
        .iter()
        .map(|frame| str::from_utf8(frame).expect("a number"))
        .collect()
}

#[tokio::test]
async fn messages_are_numbered_from_one_also_when_none_is_kept() {
    let none = Limits {
        messages: 0,
        ..ROOMY
    };
    let history = History::new(none);
    let log = history.log(&"tea".into());
    assert_eq!(log.newest().seq, 0);
    say(&log, 1);
    assert_eq!(log.append("ann", None, |seq| (Bytes::new(), seq)), (2, 2));
    assert_eq!((log.newest().seq, history.bytes()), (2, 0));
    assert_eq!(log.after(at(&log, 2)), Some(Vec::new()));
    assert_eq!(log.after(at(&log, 1)), None);
}

#[tokio::test]
async fn recovery_is_complete_or_reported_incomplete() {
    let history = History::new(ROOMY);
    let log = history.log(&"tea".into());
    say(&log, 5);
    assert_eq!(
        texts(&log.after(at(&log, 2)).expect("it is kept")),
        ["3", "4", "5"]
    );
    assert_eq!(texts(&log.after(at(&log, 4)).expect("it is kept")), ["5"]);
    assert_eq!(log.after(at(&log, 5)), Some(Vec::new()));
    assert_eq!(log.after(at(&log, 1)), None, "the second was forgotten");
    assert_eq!(log.after(at(&log, 6)), None, "there is no sixth");
}

#[tokio::test]
async fn pages_go_backwards() {
    let history = History::new(ROOMY);
    let log = history.log(&"tea".into());
    say(&log, 5);
    assert_eq!(texts(&log.before(None, 2)), ["4", "5"]);
    assert_eq!(texts(&log.before(Some(5), 9)), ["3", "4"]);
    assert_eq!(texts(&log.before(Some(100), 1)), ["5"]);
    assert!(log.before(Some(3), 9).is_empty());
    assert!(log.before(Some(0), 9).is_empty());
}

#[tokio::test(start_paused = true)]
async fn old_messages_expire_and_their_numbers_a_day_later() {
    let history = History::new(ROOMY);
    say(&history.log(&"tea".into()), 1);
    tokio::time::advance(ROOMY.age / 2).await;
    say(&history.log(&"tea".into()), 1);
    tokio::time::advance(ROOMY.age / 2).await;
    let log = history.log(&"tea".into());
    assert_eq!(texts(&log.before(None, 9)), ["2"]);
    drop(log);
    tokio::time::advance(ROOMY.age).await;
    history.expire(false);
    assert_eq!(
        (history.bytes(), history.log(&"tea".into()).newest().seq),
        (0, 2)
    );
    tokio::time::advance(REMEMBER).await;
    history.expire(false);
    assert_eq!(history.log(&"tea".into()).newest().seq, 0);
}

#[tokio::test]
async fn numbers_of_another_epoch_are_not_compared() {
    let history = History::new(ROOMY);
    let log = history.log(&"tea".into());
    say(&log, 2);
    let before = log.newest();
    log.begin_at(at(&log, 0), std::iter::empty());
    say(&log, 2);
    assert_eq!(log.after(before), Some(Vec::new()), "the epoch is the same");
    log.fork();
    assert_eq!((log.after(before), log.newest().seq), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn keyed_message_is_found_while_it_is_kept() {
    let history = History::new(ROOMY);
    let log = history.log(&"tea".into());
    let say = |key: &str| log.append("ann", Some(key.into()), |_| (Bytes::from_static(b"x"), ()));
    for (key, seq) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!((log.find(key), say(key)), (None, (seq, ())));
        assert_eq!(log.find(key), Some(seq));
    }
    assert_eq!(history.bytes(), 6, "keys are charged too");
    say("d");
    assert_eq!((log.find("a"), log.find("b")), (None, Some(2)));
    tokio::time::advance(ROOMY.age).await;
    assert_eq!((log.find("d"), history.bytes()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn room_in_use_keeps_its_log() {
    let history = History::new(ROOMY);
    let log = history.log(&"tea".into());
    say(&log, 1);
    tokio::time::advance(2 * REMEMBER).await;
    history.expire(false);
    assert!(!history.forget("tea"));
    assert_eq!(history.log(&"tea".into()).newest(), log.newest());
    let before = log.newest();
    drop(log);
    history.expire(true);
    assert_eq!(history.log(&"tea".into()).newest(), before);
    assert!(history.forget("tea") && history.forget("milk"));
    assert_eq!(history.log(&"tea".into()).newest().seq, 0);
}
