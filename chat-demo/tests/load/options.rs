//! Options of the clients and of publishing.

use std::time::Duration;

use chat_demo_load::measure;

use crate::faulty::{Fault, FaultyServer, STALLED};
use crate::{args, load, load_from};

#[tokio::test]
async fn each_encoding_works() {
    for encoding in ["json", "protobuf", "text"] {
        let line = format!("--connections 6 --rooms 2 --messages 10 --encoding {encoding}");
        let report = load(&line).await;
        assert!(report.is_clean(), "{encoding}: {report}");
        assert_eq!(report.delivered, 60, "{encoding}");
    }
}

#[tokio::test]
async fn dropped_slow_readers_are_not_losses() {
    let line =
        "--connections 5 --rooms 1 --slow-readers 100% --messages 300 --size 10000 --window 4";
    let report = load_from(line, |config| {
        config.outbox_frames = 16;
        // A reader of ten frames a second reads none or one in this time.
        config.slow_timeout = Duration::from_millis(100);
    })
    .await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.delivered, 300, "{report}");
    // A client notices the close after it has read the buffered frames.
    assert!((1..=4).contains(&report.dropped_slow), "{report}");
}

#[tokio::test]
async fn reconnecting_clients_miss_nothing() {
    // With ten seconds on average, about two dozen reconnect within three.
    let line = "--connections 81 --rooms 1 --reconnecting 100% --rate 50 --duration 3s";
    let report = load_from(line, |config| config.history = 1000).await;
    assert!(report.is_clean(), "{report}");
    assert!(report.reconnects > 0, "{report}");
}

#[tokio::test]
async fn missed_messages_that_were_deleted_are_an_error() {
    let line =
        "--connections 81 --rooms 1 --reconnecting 100% --rate 200 --duration 3s --patience 2s";
    let report = load_from(line, |config| config.history = 1).await;
    let why = "missed messages were deleted before the client reconnected";
    assert!(report.error_kinds.contains_key(why), "{report}");
}

#[tokio::test]
async fn idle_clients_are_in_no_room() {
    let report = load("--connections 10 --rooms 1 --idle 100% --messages 5").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.connections, report.delivered), (10, 5));
}

#[tokio::test]
async fn a_ramp_sends_half_of_the_messages() {
    let report = load("--connections 2 --rooms 1 --rate 100 --ramp 1s --duration 1s").await;
    assert!(report.is_clean(), "{report}");
    assert!((1..=50).contains(&report.sent), "{report}");
}

#[tokio::test]
async fn connects_keep_their_rate() {
    // The last is due after a tenth of a second.
    let report = load("--connections 11 --rooms 1 --connect-rate 100 --messages 1").await;
    assert!(report.is_clean(), "{report}");
    assert!(report.connect_seconds >= 0.1, "{report}");
}

#[tokio::test]
async fn a_stall_counts_in_all_messages_that_it_delays() {
    // One message is due each 10 ms. It handles the fifth and all later ones with the last, so half
    // of the messages wait for at least six times 10 ms.
    let address = FaultyServer::start(Fault::Stall).await;
    let line = format!("--connections 2 --rooms 1 --rate 100 --messages {STALLED}");
    let report = measure(args(address, &line)).await.expect("it runs");
    assert!(report.is_clean(), "{report}");
    assert!(report.p50_ms >= 50.0, "{report}");
}

#[tokio::test]
async fn the_moments_of_a_run_add_up() {
    let report = load("--connections 20 --rooms 2 --rate 100 --duration 1500ms").await;
    assert!(report.is_clean(), "{report}");
    let sum = |of: fn(&chat_demo_load::Moment) -> u64| report.timeline.iter().map(of).sum::<u64>();
    assert_eq!(sum(|moment| moment.sent), report.sent);
    assert_eq!(sum(|moment| moment.delivered), report.delivered);
    let last = report.timeline.last().expect("a moment");
    assert_eq!(last.members, 20);
    let mut figures = report
        .timeline
        .iter()
        .filter_map(|moment| moment.server.as_ref());
    let newest = figures.next_back().expect("the server reports its figures");
    assert!(newest.pools.contains_key("fanout"));
    let (shares, latencies): (Vec<_>, Vec<_>) = report.percentiles.into_iter().unzip();
    assert!(shares.is_sorted() && latencies.is_sorted(), "they rise");
    assert_eq!(latencies.last(), Some(&report.max_ms));
}
