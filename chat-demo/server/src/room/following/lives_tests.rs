//! A room that is still in use after the next room of its name was made.

use super::pace_tests::{join, reads};
use super::tests::{announced, page, state};
use super::*;
use crate::room::Room;

/// Makes two rooms of one name; each has read the first eleven messages.
fn two_lives() -> [Arc<Room>; 2] {
    let common = state().common;
    [(); 2].map(|()| {
        let room = Room::new("tea".into(), common.clone());
        let whole = (room.state.lock()).fill(page(1, 11, 11, None, usize::MAX), None, None);
        assert_eq!(whole, Filled::Whole);
        room
    })
}

#[test]
fn earlier_room_takes_no_message_from_its_successor() {
    let [earlier, room] = two_lives();
    let outbox = join(&mut room.state.lock());
    assert!(!earlier.state.lock().on_announced(announced(12)));
    assert!(!room.state.lock().on_announced(announced(12)));
    assert_eq!(reads(&outbox), 1);
}

#[test]
fn earlier_room_sees_no_lost_message_in_its_successor() {
    let [earlier, room] = two_lives();
    for seq in 12..=15 {
        assert!(!room.state.lock().on_announced(announced(seq)));
    }
    let state = &mut *earlier.state.lock();
    let after = state.read_after();
    let page = page(1, 15, 15, after, usize::MAX);
    assert_eq!(state.fill(page, after, None), Filled::Whole);
}
