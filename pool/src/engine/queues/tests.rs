use super::*;

/// Closures that a sweep keeps.
fn is_odd(task: u32) -> Option<u32> {
    (task % 2 == 1).then_some(task)
}

fn drain<T>(next: impl FnMut() -> Option<T>) -> Vec<T> {
    std::iter::from_fn(next).collect()
}

/// Returns queues with tasks in each of them, in the order in which `take_any` takes them.
fn filled() -> (Queues<u32>, Own<u32>) {
    let queues = Queues::new(2);
    let own = queues.claim().unwrap();
    queues.push_future(1);
    queues.push_own(&own, Lane::Futures, 2);
    queues.push_closure(3, Priority::High);
    queues.push_closure(4, Priority::Normal);
    queues.push_closure(5, Priority::Low);
    queues.push_own(&own, Lane::Closures, 6);
    queues.push_own(&own, Lane::Closures, 7);
    (queues, own)
}

#[test]
fn each_queue_is_counted_and_emptied() {
    let (queues, _own) = filled();
    queues.uses().add(Uses::PRIORITIES);
    assert_eq!(queues.lens(), (2, [1, 3, 1]));
    assert_eq!(drain(|| queues.take_any()), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(queues.lens(), (0, [0, 0, 0]));
    assert!(Lane::ALL.into_iter().all(|lane| !queues.has_work(lane)));
}

#[test]
fn local_queues_are_claimed_from_the_lowest_index() {
    let queues = Queues::<u32>::new(3);
    assert_eq!(queues.locals(), 4, "one is for the extra thread");
    let owned: Vec<_> = drain(|| queues.claim());
    assert_eq!(
        owned.iter().map(|own| own.index).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    for own in owned {
        queues.vacate(own);
    }
    assert_eq!(queues.claim().unwrap().index, 3, "the last one is warm");
    assert_eq!(Queues::<u32>::new(1_000).locals(), LOCALS);
}

#[test]
fn thief_starts_after_its_own_queue() {
    let queues = Queues::new(2);
    let owned: Vec<_> = drain(|| queues.claim());
    for own in &owned {
        queues.push_own(own, Lane::Closures, own.index);
    }
    let steal = |own| queues.steal(Lane::Closures, own);
    assert_eq!(steal(Some(&owned[1])), Some(2));
    assert_eq!(steal(Some(&owned[1])), Some(0));
    assert_eq!(queues.steal_from(1, Lane::Closures, &owned[0]), Some(1));
    assert_eq!(queues.steal_from(1, Lane::Closures, &owned[0]), None);
    assert_eq!(steal(None), None);
}

#[test]
fn batch_leaves_the_other_workers_their_share() {
    let queues = Queues::new(4);
    let own = queues.claim().unwrap();
    (0..40).for_each(|task| queues.push_closure(task, Priority::Normal));
    queues.refill(Lane::Closures, &own);
    let batch = drain(|| own.pop(Lane::Closures));
    assert_eq!(batch, (0..11).collect::<Vec<_>>(), "a quarter, and one");
    assert_eq!(queues.take_shared(Lane::Closures, Some(&own)), Some(11));
    assert_eq!(own.len(Lane::Closures), 7, "a quarter of the rest");
}

#[test]
fn shared_work_is_a_future_or_a_closure_of_any_priority() {
    let queues = Queues::new(1);
    assert!(!queues.has_shared_work());
    queues.push_future(1);
    assert!(queues.has_shared_work());
    assert_eq!(queues.take_any(), Some(1));
    assert!(!queues.has_shared_work());
    queues.uses().add(Uses::PRIORITIES);
    queues.push_closure(2, Priority::Low);
    assert!(queues.has_shared_work());
}

#[test]
fn sweep_waits_until_half_of_the_closures_may_be_spent() {
    let queues = Queues::new(1);
    for task in 0..4 * SWEEP_SHARED {
        queues.push_closure(task, Priority::ALL[task % 3]);
    }
    let take = |_| -> Option<usize> { panic!("it is too early") };
    assert!(!queues.sweep(SWEEP_SHARED, take));
    assert!(!queues.sweep(SWEEP_SHARED - 1, take));
    assert!(queues.sweep(1, |task| (task < 100).then_some(task)));
    assert_eq!(queues.lens(), (0, [34, 33, 33]));
    assert!(!queues.sweep(SWEEP_SHARED - 1, take), "few are left");
    assert!(!queues.sweep(1, |_| None), "none is left");
    assert_eq!(queues.take_any(), None);
}

#[test]
fn sweep_keeps_the_order_of_a_local_queue() {
    let queues = Queues::new(1);
    let own = queues.claim().unwrap();
    (0..10).for_each(|task| queues.push_own(&own, Lane::Closures, task));
    assert!(own.sweep(Lane::Closures, is_odd));
    assert_eq!(drain(|| own.pop(Lane::Closures)), [1, 3, 5, 7, 9]);
    queues.push_own(&own, Lane::Closures, 2);
    assert!(!own.sweep(Lane::Closures, is_odd));
    assert!(own.is_empty(Lane::Closures));
}
