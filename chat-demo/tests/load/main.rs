//! The load generator against correct and faulty servers.

mod faulty;
mod options;
mod processes;
mod served;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use chat_demo_load::{Args, Report, measure};
use chat_demo_server::config::Config;
use chat_demo_server::server::Server;
use clap::Parser;

use crate::faulty::{Fault, FaultyServer};

fn args(address: SocketAddr, line: &str) -> Args {
    let target = format!("--target=ws://{address}/ws");
    let line = line.split_whitespace();
    Args::try_parse_from(["load", &target].into_iter().chain(line)).expect("valid options")
}

/// Returns the report of a run against a real server.
async fn load(line: &str) -> Report {
    load_from(line, |_| ()).await
}

async fn load_from(line: &str, change: impl FnOnce(&mut Config)) -> Report {
    let server = serve(change);
    let report = measure(args(server.address(), line)).await;
    report.expect("it runs")
}

fn serve(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
        // Other programs must not make the server refuse connections.
        max_cpu: 0,
        max_memory: 0,
        ..Config::default()
    };
    change(&mut config);
    Server::start(config).expect("a free port")
}

/// Returns the report of a run with one room, two members and ten messages of one publisher.
async fn report_of_fault(fault: Fault) -> Report {
    let address = FaultyServer::start(fault).await;
    let line = "--connections 2 --rooms 1 --messages 10 --window 4 --patience 2s";
    let report = measure(args(address, line)).await.expect("it runs");
    assert!(!report.is_clean(), "{report}");
    assert_eq!(report.connections, 2, "{report}");
    report
}

#[tokio::test]
async fn all_that_is_sent_arrives() {
    let report = load("--connections 12 --rooms 3 --publishers 2 --messages 25 --window 4").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.sent, report.delivered), (75, 75 * 4));
}

#[tokio::test]
async fn a_rate_and_a_duration_bound_what_is_sent() {
    let report = load("--connections 4 --rooms 2 --rate 100 --duration 200ms").await;
    assert!(report.is_clean(), "{report}");
    assert!((1..=20).contains(&report.sent), "{report}");
    assert!(!report.interrupted, "{report}");
}

#[tokio::test]
async fn a_refusal_is_reported_with_the_server_s_reason() {
    let line = "--connections 3 --rooms 1 --messages 1";
    let report = load_from(line, |config| config.max_connections = 1).await;
    let kinds: Vec<_> = report.error_kinds.iter().collect();
    let refused = "the handshake failed: 503 Service Unavailable: all connections are taken";
    assert!(
        matches!(kinds[..], [(why, 2)] if why.contains(refused)),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_correct_server_passes() {
    let address = FaultyServer::start(Fault::None).await;
    let line = "--connections 2 --rooms 1 --messages 10 --window 4";
    let report = measure(args(address, line)).await.expect("it runs");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_missing_message_is_lost() {
    let report = report_of_fault(Fault::Drop).await;
    assert_eq!((report.expected, report.delivered), (20, 18), "{report}");
    assert_eq!(
        (report.lost, report.duplicated, report.reordered),
        (2, 0, 0)
    );
}

#[tokio::test]
async fn a_repeated_message_is_duplicated() {
    let report = report_of_fault(Fault::Repeat).await;
    assert_eq!(
        (report.lost, report.duplicated, report.reordered),
        (0, 2, 0)
    );
}

#[tokio::test]
async fn a_message_after_its_successor_is_reordered() {
    let report = report_of_fault(Fault::Swap).await;
    assert_eq!(
        (report.lost, report.duplicated, report.reordered),
        (0, 0, 2)
    );
}

#[tokio::test]
async fn a_message_without_its_ack_is_an_error() {
    let report = report_of_fault(Fault::NoAck).await;
    assert_eq!(report.error_kinds["never acknowledged"], 1, "{report}");
}

#[tokio::test]
async fn a_server_that_disconnects_ends_the_run() {
    let address = FaultyServer::start(Fault::Disconnect).await;
    // With this patience, only the end of all members ends the run.
    let line = "--connections 2 --rooms 1 --messages 10 --patience 1h";
    let report = measure(args(address, line)).await.expect("it runs");
    assert!(
        !report.is_clean() && report.lost > 0 && report.errors >= 2,
        "{report}"
    );
}

#[tokio::test]
async fn an_unreachable_server_is_one_line() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let error = measure(args(address, ""))
        .await
        .expect_err("nothing listens");
    let error = error.to_string();
    assert!(
        error.starts_with(&format!("cannot connect to {address}: ")),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}
