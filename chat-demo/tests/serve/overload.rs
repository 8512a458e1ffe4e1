//! A server at its limit, and limits that adapt to the load.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_server::config::{Config, TunerPolicy};
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::harness::{Client, Server, run, stats, until};
use crate::process::Process;

/// Sets closures that occupy the workers, and a low CPU limit.
fn busy(config: &mut Config) {
    config.debug_closures = Some(Duration::from_millis(10));
    config.max_cpu = 5;
    config.always_admit = 1;
}

/// Returns the answer to another upgrade.
async fn refusal(server: &Server) -> tokio_tungstenite::tungstenite::http::Response<String> {
    let stream = tokio::net::TcpStream::connect(server.address).await;
    let newcomer = Client::over(stream.expect("it listens"), server.request()).await;
    let Err(Error::Http(refused)) = newcomer.map(drop) else {
        panic!("it was let in");
    };
    let words = |body: Option<Vec<u8>>| String::from_utf8(body.unwrap_or_default());
    refused.map(|body| words(body).expect("text"))
}

#[test]
fn pressure_refuses_connections_then_slows_publishers() {
    run(async {
        let server = Server::with(busy);
        assert_eq!(server.http("GET /readyz HTTP/1.1").await.status, 200);
        server.until(|stats| stats["pressure"] == "refusing").await;
        // A few connections are always admitted.
        assert_eq!(server.http("GET /readyz HTTP/1.1").await.status, 200);
        let mut ann = server.enter_room("ann", "tea").await;

        let reason = "the server is at its limit: processors (--max-cpu 5)\n";
        let ready = server.http("GET /readyz HTTP/1.1").await;
        assert_eq!((ready.status, ready.body.as_str()), (503, reason));
        let refused = refusal(&server).await;
        assert_eq!(
            (refused.status().as_u16(), refused.body().as_str()),
            (503, reason)
        );
        assert!(refused.headers().contains_key("retry-after"));
        let series = "chat_handshakes_refused_total{reason=\"overloaded\"}";
        server.until_figure(series, 1.0).await;

        server.until(|stats| stats["pressure"] == "slowing").await;
        ann.publish("tea", "milk?").await;
        let said = ann.expect(Kind::MESSAGE).await;
        assert_eq!(said["text"], "milk?");
        let stats = server.stats().await;
        assert!(stats["publish_delay_ms"].as_f64().expect("a number") >= 10.0);
        assert_eq!(stats["connections"], 1);
        let figures = server.figures().await;
        assert!(figures.of("chat_publish_delay_seconds") >= 0.01);
        assert!(figures.of("chat_machine_memory_ratio") > 0.01);
        server.until_figure("chat_pressure", 2.0).await;
    });
}

/// Starts other programs that keep the CPU busy.
struct Others(Vec<Child>);

impl Others {
    fn start() -> Self {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let start = |_| {
            // The tests beside this one go first.
            let mut busy = Command::new("nice");
            busy.args(["-n", "19", "sh", "-c", "while :; do :; done"]);
            busy.spawn().expect("there is a shell")
        };
        Self((0..count).map(start).collect())
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for other in &mut self.0 {
            let _ = other.kill();
            let _ = other.wait();
        }
    }
}

#[test]
fn other_programs_keep_no_connections_out() {
    run(async {
        // In processes of their own, because the guard measures all of the process.
        let set = Process::serve(&["--max-cpu", "50", "--always-admit", "0"]);
        let Config {
            max_cpu,
            max_memory,
            ..
        } = Config::default();
        let (max_cpu, max_memory) = (max_cpu.to_string(), max_memory.to_string());
        let as_it_comes = Process::serve(&[
            "--max-cpu",
            &max_cpu,
            "--max-memory",
            &max_memory,
            "--always-admit",
            "0",
        ]);
        let _others = Others::start();
        // The server measures every second, so the CPU is busy for longer than the guard tolerates.
        let mut busy = BTreeSet::new();
        until(async || {
            let stats = stats(set.address).await;
            let uptime = stats["uptime_seconds"].as_f64().expect("a number");
            if stats["machine"]["cpu_percent"].as_f64() > Some(90.0) {
                busy.insert(uptime.round().to_string());
            }
            busy.len() == 10
        })
        .await;
        for server in [set, as_it_comes] {
            assert_eq!(stats(server.address).await["pressure"], "none");
            server.enter_room("ann", "tea").await;
        }
    });
}

#[test]
fn the_machine_is_shown() {
    run(async {
        let server = Server::start();
        server
            .until(|stats| stats["machine"]["memory_bytes"] != 0)
            .await;
        let stats = server.stats().await;
        assert!(stats["machine"]["cpus"].as_u64() >= Some(1));
        for percent in ["cpu_percent", "memory_percent"] {
            let percent = stats["machine"][percent].as_f64().expect("a number");
            assert!((0.0..=100.0).contains(&percent), "{percent}");
        }
        assert_eq!(stats["pressure"], "none");
        assert_eq!(stats.get("tuner"), None, "it is off");
    });
}

#[test]
fn tuner_moves_a_limit_and_logs_it() {
    run(async {
        let server = Server::with(|config| {
            config.threads = Some(2);
            config.tuner = TunerPolicy::Stepped;
        });
        let before = server.stats().await;
        assert_eq!(before["tuner"]["policy"], "stepped");
        assert_eq!(before["tuner"]["what"], "threads");
        // The load is low: the first step.
        server.until(|stats| stats["tuner"]["limit"] == 4).await;
        let tuner = &server.stats().await["tuner"];
        assert_eq!(tuner["changes"], 1);
        let last = tuner["last"].as_str().expect("text");
        assert!(last.starts_with("2 -> 4: the load is "), "{last}");
        server.until_figure("chat_tuner_limit", 4.0).await;
        server.until_figure("chat_tuner_changes_total", 1.0).await;
    });
}

#[test]
fn each_policy_serves() {
    run(async {
        for tuner in [TunerPolicy::Gradient, TunerPolicy::HillClimbing] {
            let server = Server::with(|config| config.tuner = tuner);
            let mut ann = server.enter_room("ann", "tea").await;
            ann.publish("tea", "milk?").await;
            assert_eq!(ann.expect(Kind::MESSAGE).await["text"], json!("milk?"));
        }
    });
}
