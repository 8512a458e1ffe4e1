use super::*;

fn join(slots: &Slots) -> (Arc<Waiter>, u64) {
    let waiter = Arc::new(Waiter::thread());
    match slots.join_line(&waiter, usize::MAX, 1) {
        Ok(Joined::Waiting(ticket)) => (waiter, ticket),
        other => panic!("expected to wait, got {other:?}"),
    }
}

#[test]
fn full_slots_refuse_until_a_release() {
    let slots = Slots::new(2);
    assert_eq!(slots.try_acquire(1), Ok(()));
    assert_eq!(slots.try_acquire(1), Ok(()));
    assert_eq!(slots.try_acquire(1), Err(NoSlot::Full));
    assert_eq!(slots.usage(), (2, 2));
    assert!(!slots.release(1));
    assert_eq!(slots.try_acquire(1), Ok(()));
}

#[test]
fn freed_slot_goes_to_first_waiter_not_newcomer() {
    let slots = Slots::new(1);
    slots.try_acquire(1).unwrap();
    let (first, _) = join(&slots);
    let (second, _) = join(&slots);
    assert!(!slots.release(1));
    assert_eq!(slots.try_acquire(1), Err(NoSlot::Full));
    assert_eq!(first.outcome(), Some(Outcome::Granted));
    assert_eq!(second.outcome(), None);
    assert_eq!(slots.waiting(), 1);
}

#[test]
fn waiter_that_left_the_line_is_skipped() {
    let slots = Slots::new(1);
    slots.try_acquire(1).unwrap();
    let (first, ticket) = join(&slots);
    let (second, _) = join(&slots);
    assert!(slots.leave_line(ticket));
    assert!(!slots.release(1));
    assert_eq!(first.outcome(), None);
    assert_eq!(second.outcome(), Some(Outcome::Granted));
}

#[test]
fn line_refuses_more_than_max_waiting() {
    let slots = Slots::new(1);
    slots.try_acquire(1).unwrap();
    join(&slots);
    let waiter = Arc::new(Waiter::thread());
    assert!(matches!(slots.join_line(&waiter, 1, 1), Err(NoSlot::Full)));
    assert_eq!(slots.waiting(), 1);
}

#[test]
fn growing_grants_to_line_and_shrinking_refuses() {
    let slots = Slots::new(1);
    slots.try_acquire(1).unwrap();
    let (first, _) = join(&slots);
    slots.tune(3);
    assert_eq!(first.outcome(), Some(Outcome::Granted));
    slots.try_acquire(1).unwrap();
    slots.tune(1);
    assert_eq!(slots.usage(), (3, 1));
    for _ in 0..2 {
        assert!(!slots.release(1));
        assert_eq!(slots.try_acquire(1), Err(NoSlot::Full));
    }
    assert!(!slots.release(1));
    assert_eq!(slots.try_acquire(1), Ok(()));
}

#[test]
fn close_refuses_line_and_last_release_detects_drain() {
    let slots = Slots::new(2);
    slots.try_acquire(1).unwrap();
    slots.try_acquire(1).unwrap();
    let (waiter, _) = join(&slots);
    let (drained, refused) = slots.close();
    assert!(!drained && refused.len() == 1);
    assert!(!slots.close().0);
    assert_eq!(waiter.outcome(), Some(Outcome::Closed));
    assert_eq!(slots.try_acquire(1), Err(NoSlot::Closed));
    assert!(!slots.release(1));
    assert!(!slots.is_drained());
    assert!(slots.release(1));
    assert!(slots.is_drained());
    assert!(!slots.close().0, "only one call detects the drain");
}

#[test]
fn first_close_drains_unused_slots() {
    let slots = Slots::new(2);
    assert!(slots.close().0);
    assert!(!slots.close().0);
}

#[test]
fn reopened_slots_detect_drain_again() {
    let slots = Slots::new(1);
    slots.try_acquire(1).unwrap();
    assert!(!slots.close().0);
    assert!(!slots.reopen(), "one slot is still taken");
    assert!(!slots.release(1), "an open pool does not drain");
    assert!(slots.close().0);
    assert!(slots.reopen());
    assert_eq!(slots.try_acquire(1), Ok(()));
}

#[test]
fn each_reopen_counts_releases_anew() {
    let slots = Slots::new(3);
    for tasks in [1, 2, 3] {
        for _ in 0..tasks {
            slots.try_acquire(1).unwrap();
        }
        assert!(!slots.close().0);
        for remaining in (0..tasks).rev() {
            assert_eq!(slots.release(1), remaining == 0);
        }
        assert!(slots.is_drained() && slots.reopen());
    }
}

#[test]
fn largest_capacity_is_unlimited() {
    let slots = Slots::new(usize::MAX);
    assert_eq!(slots.capacity(), usize::MAX);
}

#[test]
fn slots_are_taken_without_reclaiming() {
    let slots = Slots::new(2);
    assert!(slots.take_free(2));
    assert!(!slots.take_free(1));
    assert!(!slots.release(2));
    assert!(!slots.take_free(1), "released slots are not reclaimed");
    assert_eq!(slots.try_acquire(1), Ok(()));
    assert!(slots.take_free(1));
}

#[test]
fn only_requests_for_several_slots_may_be_too_large() {
    let slots = Slots::new(0);
    assert_eq!(slots.try_acquire(1), Err(NoSlot::Full));
    assert_eq!(slots.try_acquire(2), Err(NoSlot::TooMany));
    slots.tune(2);
    assert_eq!(slots.try_acquire(3), Err(NoSlot::TooMany));
    assert_eq!(slots.try_acquire(2), Ok(()));
}

#[test]
fn slots_are_taken_at_once_after_the_line_has_emptied() {
    let slots = Slots::new(2);
    slots.try_acquire(2).unwrap();
    let (_, ticket) = join(&slots);
    assert!(slots.leave_line(ticket));
    slots.tune(3);
    assert!(slots.take_free(1));
    join(&slots);
    slots.tune(4);
    assert_eq!(slots.waiting(), 0);
    slots.tune(5);
    assert!(slots.take_free(1));
}
