use super::*;

const SEARCHES: Awake = Awake {
    searching: true,
    occupied: false,
};
const OCCUPIED: Awake = Awake {
    searching: false,
    occupied: true,
};
const FREE: Awake = Awake {
    searching: false,
    occupied: false,
};

/// Counts a thread that has found a task.
fn start(idle: &Idle) {
    assert!(idle.enlist(|| false));
    let _last = idle.end_search();
}

/// Counts a thread that runs a closure.
fn start_occupied(idle: &Idle) {
    start(idle);
    assert!(idle.occupy());
}

/// Counts a thread that sleeps.
fn start_sleeper(idle: &Idle) -> Arc<Parker> {
    assert!(idle.enlist(|| false));
    let parker = Arc::new(Parker::new());
    assert!(!idle.announce(&parker, SEARCHES, false));
    parker
}

/// Counts the thread that is started for futures while all others are occupied.
fn start_extra(idle: &Idle) {
    assert!(matches!(idle.recruit(Lane::Futures), Recruit::Start));
    assert!(idle.end_search());
}

fn woken(recruit: Recruit) -> Option<Arc<Parker>> {
    match recruit {
        Recruit::Wake(parker) => Some(parker),
        Recruit::Start | Recruit::None => None,
    }
}

fn is(parker: Option<Arc<Parker>>, expected: &Arc<Parker>) -> bool {
    parker.is_some_and(|parker| Arc::ptr_eq(&parker, expected))
}

#[test]
fn last_sleeper_is_woken_first_and_one_at_a_time() {
    let idle = Idle::new(0, 2);
    let (first, last) = (start_sleeper(&idle), start_sleeper(&idle));
    assert!(is(woken(idle.recruit(Lane::Closures)), &last));
    assert!(matches!(idle.recruit(Lane::Closures), Recruit::None));
    assert!(idle.end_search(), "no other worker searches");
    assert!(is(woken(idle.recruit(Lane::Closures)), &first));
    assert_eq!(idle.threads(), (2, 0));
}

#[test]
fn sleeper_in_the_reactor_is_woken_last() {
    let idle = Idle::new(0, 2);
    assert!(idle.enlist(|| false));
    let in_reactor = Arc::new(Parker::new());
    assert!(!idle.announce(&in_reactor, SEARCHES, true));
    let sleeper = start_sleeper(&idle);
    assert!(is(idle.recruit_sleeper(), &sleeper));
    let other = idle.recruit_other(Lane::Closures);
    assert!(matches!(other, Recruit::None), "a worker searches");
    assert!(is(idle.recruit_sleeper(), &in_reactor), "even so");
    assert!(idle.recruit_sleeper().is_none());
    assert_eq!(idle.threads(), (2, 0));
}

#[test]
fn threads_start_up_to_the_limit_and_not_after_the_end() {
    let idle = Idle::new(0, 1);
    assert!(!idle.enlist(|| true));
    let late = idle.recruit_unless(Lane::Closures, || true);
    assert!(matches!(late, Recruit::None));
    assert!(matches!(idle.recruit(Lane::Closures), Recruit::Start));
    assert!(idle.end_search());
    assert!(matches!(idle.recruit(Lane::Closures), Recruit::None));
    assert!(!idle.enlist(|| false));
    assert_eq!(idle.live(), 1);
}

#[test]
fn one_thread_beyond_the_limit_serves_futures() {
    let idle = Idle::new(0, 1);
    start_occupied(&idle);
    assert!(!idle.wants_help(Lane::Closures));
    assert!(idle.wants_help(Lane::Futures));
    start_extra(&idle);
    assert!(!idle.has_surplus());
    assert!(!idle.wants_help(Lane::Futures));
    assert!(!idle.occupy(), "enough workers run closures");
    idle.occupy_in_place();
    assert!(idle.wants_help(Lane::Futures));
    let third = idle.recruit(Lane::Futures);
    assert!(matches!(third, Recruit::None), "the extra thread lives");
    idle.vacate();
    assert!(!idle.wants_help(Lane::Futures), "it polls again");
}

#[test]
fn change_of_limits_keeps_the_extra_thread() {
    let idle = Idle::new(0, 1);
    start_occupied(&idle);
    start_extra(&idle);
    idle.limit(0, 1);
    assert!(!idle.has_surplus());
    assert!(!idle.retire(FREE));
    assert!(!idle.retire(OCCUPIED));
}

#[test]
fn lower_limit_retires_as_many_threads_as_are_too_many() {
    let idle = Idle::new(0, 3);
    (0..3).for_each(|_| start(&idle));
    assert!(!idle.has_surplus());
    assert!(!idle.retire(FREE));
    idle.limit(0, 1);
    assert!(idle.has_surplus());
    assert_eq!([(); 3].map(|()| idle.retire(FREE)), [true, true, false]);
    idle.dismiss(true);
    assert!(idle.has_surplus(), "one has yet to be dismissed");
    idle.dismiss(true);
    assert!(!idle.has_surplus());
    assert_eq!(idle.live(), 1);
}

#[test]
fn only_free_thread_does_not_retire() {
    let idle = Idle::new(0, 2);
    start_occupied(&idle);
    start_occupied(&idle);
    start_extra(&idle);
    idle.limit(0, 1);
    assert!(idle.has_surplus());
    assert!(!idle.retire(FREE), "futures need it");
    assert!(idle.retire(OCCUPIED));
    idle.dismiss(true);
    assert!(!idle.has_surplus());
    assert!(!idle.retire(FREE));
    assert!(!idle.retire(OCCUPIED));
}

#[test]
fn extra_thread_that_left_can_be_replaced() {
    let idle = Idle::new(0, 2);
    start_occupied(&idle);
    start_occupied(&idle);
    start_extra(&idle);
    let extra = Arc::new(Parker::new());
    assert!(!idle.announce(&extra, FREE, false));
    idle.limit(0, 1);
    assert_eq!(idle.expire(&extra), Expiry::Leaves);
    idle.dismiss(true);
    assert_eq!(idle.live(), 2, "both run closures");
    assert!(idle.has_surplus());
    start_extra(&idle);
}

#[test]
fn sleeper_expires_above_the_minimum() {
    let idle = Idle::new(1, 3);
    let (first, second) = (start_sleeper(&idle), start_sleeper(&idle));
    assert_eq!(idle.expire(&first), Expiry::Leaves);
    assert_eq!(idle.expire(&second), Expiry::Stays, "one leaves already");
    idle.dismiss(true);
    assert_eq!(idle.threads(), (1, 1));
    idle.limit(0, 3);
    assert!(is(woken(idle.recruit(Lane::Closures)), &second));
    assert_eq!(idle.expire(&second), Expiry::Woken);
    assert!(!idle.withdraw(&second, true));
    assert!(!idle.is_deserted());
    idle.dismiss(false);
    assert!(idle.is_deserted());
}

#[test]
fn thread_that_goes_to_sleep_above_the_limit_must_retire() {
    let idle = Idle::new(0, 2);
    (0..2).for_each(|_| start(&idle));
    idle.limit(0, 1);
    let parker = Arc::new(Parker::new());
    assert!(idle.announce(&parker, FREE, false));
    assert!(idle.withdraw(&parker, true));
    assert_eq!(idle.threads(), (2, 0));
}

#[test]
fn all_sleepers_are_woken_at_once() {
    let idle = Idle::new(0, 3);
    let sleepers = [(); 3].map(|()| start_sleeper(&idle));
    idle.wake_all();
    assert_eq!(idle.threads(), (3, 0));
    for parker in &sleepers {
        assert!(!idle.withdraw(parker, true));
    }
    let last: Vec<_> = sleepers.iter().map(|_| idle.end_search()).collect();
    assert_eq!(last, [false, false, true]);
}
