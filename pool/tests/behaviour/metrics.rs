//! Metrics published through the `metrics` facade.

use std::sync::mpsc;
use std::time::Instant;

use anthill::{JoinError, Pool};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

/// Returns name, labels and value of each published metric as text.
fn published(pool: &Pool) -> Vec<String> {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || pool.publish_metrics("jobs"));
    let entries = recorder.snapshotter().snapshot().into_vec();
    let lines = entries.into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => unreachable!("there are none"),
        };
        format!("{}{{{}}} {value}", key.name(), labels.join(","))
    });
    lines.collect()
}

#[test]
fn every_figure_is_published_with_its_labels() {
    let pool = Pool::builder().capacity(8).threads(0..=1).build().unwrap();
    pool.submit(|| ()).unwrap();
    pool.submit(|| std::panic::resume_unwind(Box::new(())))
        .unwrap();
    pool.shutdown().wait().unwrap();
    assert!(pool.submit(|| ()).is_err());
    let lines = published(&pool);
    for line in [
        "anthill_capacity{pool=jobs} 8",
        "anthill_free{pool=jobs} 8",
        "anthill_in_flight{pool=jobs} 0",
        "anthill_accepted_total{pool=jobs} 2",
        "anthill_ended_total{pool=jobs,end=completed} 1",
        "anthill_ended_total{pool=jobs,end=panicked} 1",
        "anthill_rejected_total{pool=jobs,reason=closed} 1",
        "anthill_threads_started_total{pool=jobs} 1",
    ] {
        assert!(
            lines.iter().any(|other| other == line),
            "{line}: {lines:#?}"
        );
    }
    assert!(!lines.iter().any(|line| line.contains("seconds")));
}

#[test]
fn weights_and_unrun_tasks_are_published() {
    let pool = Pool::builder().capacity(8).threads(0..=1).build().unwrap();
    let (gate, opened) = mpsc::channel::<()>();
    let blocker = pool.submit_with_handle(move || opened.recv().unwrap());
    let late = pool.slot().wait().unwrap().expires_at(Instant::now());
    let late = late.submit_with_handle(|| ());
    assert!(pool.submit_with_handle(|| ()).unwrap().cancel());
    let weighted = pool.slots(5).wait().unwrap();
    let lines = published(&pool);
    for line in [
        "anthill_in_flight{pool=jobs} 7",
        "anthill_free{pool=jobs} 1",
    ] {
        assert!(lines.iter().any(|other| other == line), "{lines:#?}");
    }
    weighted.submit(|| ());
    gate.send(()).unwrap();
    blocker.unwrap().wait().unwrap();
    assert!(matches!(late.wait(), Err(JoinError::Expired)));
    assert_eq!(pool.map(0..1, |n| n).count(), 1);
    pool.shutdown().wait().unwrap();
    let lines = published(&pool);
    for line in [
        "anthill_ended_total{pool=jobs,end=expired} 1",
        "anthill_ended_total{pool=jobs,end=cancelled} 1",
        "anthill_ended_total{pool=jobs,end=completed} 3",
        "anthill_in_flight{pool=jobs} 0",
    ] {
        assert!(lines.iter().any(|other| other == line), "{lines:#?}");
    }
}

#[test]
fn measured_times_are_published_as_quantiles() {
    let builder = Pool::builder().threads(0..=1).sample_times(1);
    let pool = builder.build().unwrap();
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    let lines = published(&pool);
    for name in ["anthill_queue_wait_seconds", "anthill_run_seconds"] {
        let quantiles = lines.iter().filter(|line| line.starts_with(name));
        assert_eq!(quantiles.count(), 4);
    }
}
