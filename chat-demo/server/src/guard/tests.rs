use super::*;

fn guard() -> Guard {
    Guard::new(Limits {
        cpu: Some(85.0),
        memory: Some(90.0),
        always_admitted: 2,
    })
}

/// The server uses so much, on a machine where all is in use.
fn usage(cpu_percent: f64, memory_percent: f64) -> Snapshot {
    let usage = |cpu_percent, memory_percent| Usage {
        cpu_percent,
        memory_percent,
        memory_bytes: 1,
    };
    Snapshot {
        machine: usage(100.0, 100.0),
        own: usage(cpu_percent, memory_percent),
    }
}

/// The changes over so many samples, with their numbers.
fn changes(guard: &Guard, samples: usize, usage: Snapshot) -> Vec<(usize, Pressure)> {
    let change = |look| guard.observe(usage).map(|pressure| (look, pressure));
    (1..=samples).filter_map(change).collect()
}

#[test]
fn it_refuses_first_and_slows_when_that_is_not_enough() {
    let guard = guard();
    assert_eq!(
        changes(&guard, 10, usage(95.0, 20.0)),
        [(5, Pressure::Refusing), (10, Pressure::Slowing)]
    );
    assert_eq!(guard.delay(), FIRST);
    assert_eq!(
        guard.details(),
        "the server uses 95 % of its processors, and --max-cpu is 85"
    );
}

#[test]
fn a_moment_is_no_limit() {
    let guard = guard();
    for _ in 0..20 {
        assert_eq!(changes(&guard, 10, usage(40.0, 20.0)), []);
        assert_eq!(changes(&guard, 2, usage(100.0, 20.0)), []);
    }
}

#[test]
fn memory_counts_as_well() {
    let guard = guard();
    assert_eq!(
        changes(&guard, 5, usage(10.0, 93.0)),
        [(5, Pressure::Refusing)]
    );
    assert_eq!(
        guard.reason(),
        "the server is at its limit: memory (--max-memory 90)"
    );
}

#[test]
fn publishers_wait_longer_while_it_lasts_and_never_for_ever() {
    let guard = guard();
    changes(&guard, 100, usage(99.0, 20.0));
    assert_eq!(guard.delay(), LONGEST);
}

#[test]
fn it_gives_way_step_by_step() {
    let guard = guard();
    changes(&guard, 20, usage(95.0, 20.0));
    let back = changes(&guard, 100, usage(50.0, 20.0));
    let states: Vec<_> = back.iter().map(|(_, pressure)| *pressure).collect();
    assert_eq!(states, [Pressure::Refusing, Pressure::None]);
    assert_eq!(guard.delay(), Duration::ZERO);
}

#[test]
fn just_below_the_limit_all_stays_as_it_is() {
    let guard = guard();
    changes(&guard, 20, usage(95.0, 20.0));
    changes(&guard, 20, usage(82.0, 20.0));
    let delay = guard.delay();
    assert_eq!(changes(&guard, 100, usage(82.0, 20.0)), []);
    assert_eq!(guard.delay(), delay);
}

#[test]
fn without_limits_nothing_is_done() {
    let guard = Guard::new(Limits {
        cpu: None,
        memory: None,
        always_admitted: 0,
    });
    assert_eq!(changes(&guard, 100, usage(100.0, 100.0)), []);
}

#[tokio::test(start_paused = true)]
async fn a_publish_is_held_back_for_the_delay() {
    let guard = guard();
    let held = async || {
        let start = tokio::time::Instant::now();
        guard.hold_back().await;
        start.elapsed()
    };
    assert_eq!(held().await, Duration::ZERO);
    changes(&guard, 10, usage(95.0, 20.0));
    assert!(held().await >= FIRST);
}

#[test]
fn other_programs_count_for_nothing() {
    let guard = guard();
    assert_eq!(changes(&guard, 100, usage(10.0, 10.0)), []);
    assert!(guard.machine().cpu_percent > 99.0);
}

#[test]
fn a_few_connections_are_always_let_in() {
    let guard = guard();
    assert_eq!(guard.refuses(1000), None);
    changes(&guard, 5, usage(95.0, 20.0));
    assert_eq!(guard.refuses(1), None);
    let reason = guard.refuses(2).expect("the limit is reached");
    assert!(reason.contains("--max-cpu 85"), "{reason}");
}

#[test]
fn there_is_a_reason_as_long_as_there_is_pressure() {
    let guard = guard();
    changes(&guard, 20, usage(95.0, 95.0));
    let mut samples = 0;
    while guard.pressure() > Pressure::None {
        for reason in [guard.reason(), guard.details()] {
            assert!(
                reason.contains("--max-cpu") && reason.contains("--max-memory"),
                "{reason}"
            );
        }
        guard.observe(usage(10.0, 10.0));
        samples += 1;
    }
    assert!(samples > 5, "it gave way at once");
}
