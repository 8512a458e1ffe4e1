//! Connections beside closures that occupy the workers.

use std::time::Duration;

use chat_demo_client::frame::Kind;

use crate::harness::{Server, run};

/// Messages of each client.
const MESSAGES: u64 = 50;
/// Closures to run meanwhile.
const CLOSURES: u64 = 10;

/// Each message is a round trip of its own. A worker that runs the 64 closures before it polls a
/// socket takes 640 ms for one, so 100 messages exceed the patience of [`run`].
#[test]
fn closures_on_the_only_worker_hold_up_no_chat() {
    run(async {
        let server = Server::with(|config| {
            config.threads = Some(1);
            config.debug_closures = Some(Duration::from_millis(10));
        });
        let full = |slots: &serde_json::Value| slots["in_flight"] == slots["capacity"];
        server
            .until(|stats| full(&stats["pools"]["debug_closures"]))
            .await;
        let before = server.stats().await["debug_closures"].as_u64();
        let before = before.expect("a count");

        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        let mut seq = 0;
        for turn in 0..MESSAGES {
            for name in ["ann", "bob"] {
                seq += 1;
                let text = format!("{name} {turn}");
                let publisher = if name == "ann" { &mut ann } else { &mut bob };
                publisher.publish("tea", &text).await;
                for member in [&mut ann, &mut bob] {
                    let message = member.expect(Kind::MESSAGE).await;
                    assert_eq!(
                        (&message["seq"], &message["text"]),
                        (&seq.into(), &text.clone().into())
                    );
                }
            }
        }
        server
            .until(|stats| stats["debug_closures"].as_u64() >= Some(before + CLOSURES))
            .await;

        ann.close().await;
        bob.close().await;
        server.stop().await.expect("no panic").expect("a drain");
    });
}

#[test]
fn queue_age_shows_that_closures_hold_the_worker() {
    run(async {
        let server = Server::with(|config| {
            config.threads = Some(1);
            config.debug_closures = Some(Duration::from_millis(100));
        });
        for lane in ["normal", "low"] {
            let waits =
                |stats: &serde_json::Value| stats["queue_age_ms"][lane].as_f64() > Some(1.0);
            server.until(waits).await;
        }
        let occupied =
            |stats: &serde_json::Value| stats["pools"]["fanout"]["running_closures"] == 1;
        server.until(occupied).await;
        let polled =
            |stats: &serde_json::Value| stats["queue_age_ms"]["futures"].as_f64() > Some(0.0);
        server.until(polled).await;
        server.stop().await.expect("no panic").expect("a drain");
    });
}

#[test]
fn queued_closures_do_not_delay_a_drain() {
    run(async {
        // 64 seconds of closures, more than the patience of `run`.
        let server = Server::with(|config| {
            config.threads = Some(1);
            config.debug_closures = Some(Duration::from_secs(1));
        });
        server.enter_room("ann", "tea").await.close().await;
        server.stop().await.expect("no panic").expect("a drain");
    });
}

#[test]
fn closures_are_counted_only_where_there_are_any() {
    run(async {
        let stats = Server::start().stats().await;
        assert_eq!(stats.get("debug_closures"), None);
        assert_eq!(stats["pools"].get("debug_closures"), None);
    });
}
