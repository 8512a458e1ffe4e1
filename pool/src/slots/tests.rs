use super::*;

fn join(slots: &Slots) -> (Arc<Waiter>, u64) {
    let waiter = Arc::new(Waiter::thread());
    match slots.join_line(&waiter, usize::MAX) {
        Ok(Joined::Waiting(ticket)) => (waiter, ticket),
        other => panic!("expected a place in line, got {other:?}"),
    }
}

#[test]
fn there_are_as_many_slots_as_the_capacity_says() {
    let slots = Slots::new(2);
    assert_eq!(slots.try_acquire(), Ok(()));
    assert_eq!(slots.try_acquire(), Ok(()));
    assert_eq!(slots.try_acquire(), Err(NoSlot::Full));
    assert_eq!(slots.usage(), (2, 2));
    assert!(!slots.release());
    assert_eq!(slots.try_acquire(), Ok(()));
}

#[test]
fn a_freed_slot_goes_to_the_first_in_line_and_not_to_a_newcomer() {
    let slots = Slots::new(1);
    slots.try_acquire().unwrap();
    let (first, _) = join(&slots);
    let (second, _) = join(&slots);
    assert!(!slots.release());
    assert_eq!(slots.try_acquire(), Err(NoSlot::Full));
    assert_eq!(first.outcome(), Some(Outcome::Granted));
    assert_eq!(second.outcome(), None);
    assert_eq!(slots.waiting(), 1);
}

#[test]
fn one_who_gives_up_is_passed_over() {
    let slots = Slots::new(1);
    slots.try_acquire().unwrap();
    let (first, ticket) = join(&slots);
    let (second, _) = join(&slots);
    assert!(slots.leave_line(ticket));
    assert!(!slots.release());
    assert_eq!(first.outcome(), None);
    assert_eq!(second.outcome(), Some(Outcome::Granted));
}

#[test]
fn the_line_is_as_long_as_it_may_be() {
    let slots = Slots::new(1);
    slots.try_acquire().unwrap();
    join(&slots);
    let waiter = Arc::new(Waiter::thread());
    assert!(matches!(slots.join_line(&waiter, 1), Err(NoSlot::Full)));
    assert_eq!(slots.waiting(), 1);
}

#[test]
fn tuning_up_serves_the_line_and_tuning_down_lets_nobody_in_until_enough_ended() {
    let slots = Slots::new(1);
    slots.try_acquire().unwrap();
    let (first, _) = join(&slots);
    slots.tune(3);
    assert_eq!(first.outcome(), Some(Outcome::Granted));
    slots.try_acquire().unwrap();
    slots.tune(1);
    assert_eq!(slots.usage(), (3, 1));
    for _ in 0..2 {
        assert!(!slots.release());
        assert_eq!(slots.try_acquire(), Err(NoSlot::Full));
    }
    assert!(!slots.release());
    assert_eq!(slots.try_acquire(), Ok(()));
}

#[test]
fn closing_sends_the_line_away_and_the_last_slot_says_that_it_is_the_last() {
    let slots = Slots::new(2);
    slots.try_acquire().unwrap();
    slots.try_acquire().unwrap();
    let (waiter, _) = join(&slots);
    let (drained, sent_away) = slots.close();
    assert!(!drained && sent_away.len() == 1);
    assert!(!slots.close().0);
    assert_eq!(waiter.outcome(), Some(Outcome::Closed));
    assert_eq!(slots.try_acquire(), Err(NoSlot::Closed));
    assert!(!slots.release());
    assert!(!slots.is_drained());
    assert!(slots.release());
    assert!(slots.is_drained());
    assert!(!slots.close().0, "it was drained before, and said so once");
}

#[test]
fn an_empty_pool_is_drained_by_its_first_close() {
    let slots = Slots::new(2);
    assert!(slots.close().0);
    assert!(!slots.close().0);
}

#[test]
fn a_reopened_pool_says_again_when_it_is_drained() {
    let slots = Slots::new(1);
    slots.try_acquire().unwrap();
    assert!(!slots.close().0);
    assert!(!slots.reopen(), "one slot was still taken");
    assert!(!slots.release(), "and its return is no end");
    assert!(slots.close().0);
    assert!(slots.reopen());
    assert_eq!(slots.try_acquire(), Ok(()));
}

#[test]
fn each_life_counts_its_own_ends() {
    let slots = Slots::new(3);
    for tasks in [1, 2, 3] {
        for _ in 0..tasks {
            slots.try_acquire().unwrap();
        }
        assert!(!slots.close().0);
        for left in (0..tasks).rev() {
            assert_eq!(slots.release(), left == 0);
        }
        assert!(slots.is_drained() && slots.reopen());
    }
}

#[test]
fn unlimited_is_the_largest_capacity() {
    let slots = Slots::new(usize::MAX);
    assert_eq!(slots.capacity(), usize::MAX);
}
