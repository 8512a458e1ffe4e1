//! Fairness between users.

use super::*;

const ROOMY: Limits = Limits {
    messages: 100,
    age: Duration::from_secs(60),
    bytes: 1000,
    room_bytes: 400,
    user_bytes: 400,
    rooms: 16,
};

/// Says something of `len` bytes.
fn say(log: &Log, user: &str, len: usize) {
    log.append(user, None, |_| (vec![b'x'; len].into(), ()));
}

/// How many messages a room has.
fn count(log: &Log) -> usize {
    log.before(None, 1000).len()
}

fn log(history: &History, room: &str) -> Arc<Log> {
    history.log(&room.into())
}

#[test]
fn room_stays_within_its_bytes() {
    let history = History::new(ROOMY);
    let tea = log(&history, "tea");
    for user in ["ann", "bob", "eve"] {
        (0..10).for_each(|_| say(&tea, user, 20));
    }
    assert_eq!((count(&tea), history.bytes()), (20, 400));
    say(&tea, "ann", 401);
    assert_eq!((count(&tea), history.bytes()), (0, 0));
}

#[test]
fn user_stays_within_a_budget_over_all_rooms() {
    let history = History::new(ROOMY);
    let tea = log(&history, "tea");
    (0..5).for_each(|_| say(&tea, "ann", 10));
    say(&tea, "eve", 10);
    let own: Vec<_> = (0..50)
        .map(|number| log(&history, &number.to_string()))
        .collect();
    for log in own.iter().cycle().take(500) {
        say(log, "eve", 20);
    }
    let of_eve = history.bytes() - 50;
    assert!((300..=400).contains(&of_eve), "{of_eve} bytes");
    // Where eve has least, nobody loses anything.
    assert_eq!(count(&tea), 6);
}

#[test]
fn silent_rooms_make_room_when_all_have_too_much() {
    let history = History::new(ROOMY);
    let logs: Vec<_> = (0..6)
        .map(|number| log(&history, &number.to_string()))
        .collect();
    for (number, log) in logs.iter().enumerate() {
        (0..10).for_each(|_| say(log, &format!("user {number}"), 20));
    }
    assert!(history.bytes() <= ROOMY.bytes);
    let counts: Vec<_> = logs.iter().map(|log| count(log)).collect();
    assert!(counts[0] < 10, "{counts:?}");
    assert_eq!(counts[2..], [10, 10, 10, 10]);
}

#[test]
fn rooms_without_members_are_bounded() {
    let history = History::new(ROOMY);
    let used = log(&history, "used");
    let quiet = log(&history, "quiet");
    say(&quiet, "ann", 1);
    drop(quiet);
    for number in 0..1000 {
        say(&log(&history, &format!("of eve {number}")), "eve", 1);
        log(&history, &format!("nothing said {number}"));
    }
    let rooms = history.logs.lock().len();
    assert!(rooms <= ROOMY.rooms + 2, "{rooms} rooms");
    assert_eq!(
        log(&history, "quiet").newest().seq,
        1,
        "ann has one room alone"
    );
    assert!(Arc::ptr_eq(&used, &log(&history, "used")));
    // The newest stay.
    assert_eq!(log(&history, "of eve 999").newest().seq, 1);
}

#[test]
fn rooms_in_use_are_not_forgotten() {
    let history = History::new(ROOMY);
    let used: Vec<_> = (0..100)
        .map(|number| log(&history, &number.to_string()))
        .collect();
    for log in &used {
        say(log, "ann", 1);
    }
    assert_eq!(history.logs.lock().len(), 100);
    drop(used);
    log(&history, "one more");
    assert!(history.logs.lock().len() <= ROOMY.rooms + 1);
}

#[test]
fn budgets_are_empty_when_all_is_forgotten() {
    let history = History::new(ROOMY);
    for number in 0..10 {
        say(&log(&history, &number.to_string()), "ann", 5);
    }
    assert_eq!(history.bytes(), 50);
    drop(std::mem::take(&mut *history.logs.lock()));
    assert_eq!(history.bytes(), 0);
    assert!(history.budget.is_empty());
}
