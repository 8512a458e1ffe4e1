//! The comparison with the smallest works: every work, every peer, every output.

mod plots;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

/// All pools that run closures.
const CLOSURES: [&str; 10] = [
    "anthill",
    "async-executor",
    "crossbeam-channel",
    "executors",
    "kanal",
    "rayon",
    "rusty_pool",
    "threadpool",
    "tokio",
    "tokio-blocking",
];

fn compare(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .arg("--smoke")
        .args(args)
        .output()
        .expect("the program runs")
}

/// Returns the records. Panics with the error output if the comparison fails.
fn records(folder: &Path, args: &[&str]) -> Vec<Value> {
    let json = folder.join("figures.json");
    let mut all = vec!["--json", json.to_str().expect("a path in UTF-8")];
    all.extend(args);
    let output = compare(&all);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    written_records(&json)
}

/// Reads the records of a file that `--json` wrote.
fn written_records(json: &Path) -> Vec<Value> {
    let text = fs::read_to_string(json).expect("the file was written");
    let mut run: Value = serde_json::from_str(&text).expect("an object");
    assert!(run["machine"].is_string() && run["command"].is_string());
    serde_json::from_value(run["records"].take()).expect("a list of records")
}

/// Returns the peers of a work, and the number of cases of each.
fn peers(records: &[Value], work: &str) -> BTreeMap<String, usize> {
    let mut peers = BTreeMap::new();
    for record in records.iter().filter(|record| record["work"] == work) {
        let name = record["impl"].as_str().expect("a name").to_owned();
        *peers.entry(name).or_default() += 1;
    }
    peers
}

fn each<const N: usize>(names: [&str; N], cases: usize) -> BTreeMap<String, usize> {
    names.map(|name| (name.to_owned(), cases)).into()
}

#[test]
fn every_peer_runs_every_work_that_it_supports() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records(folder.path(), &["--connections", "2", "--rounds", "2"]);

    for work in ["latency", "waiting", "idle"] {
        assert_eq!(peers(&records, work), each(CLOSURES, 1), "{work}");
    }
    for (work, cases) in [("noop", 12), ("spin1us", 1), ("spin10us", 1)] {
        let mut bounded = each(CLOSURES, cases);
        bounded.extend(each(["async-lock", "tokio-semaphore"], cases));
        assert_eq!(peers(&records, work), bounded, "{work}");
    }
    let grown = ["anthill", "crossbeam-channel", "kanal", "tokio-semaphore"];
    assert_eq!(peers(&records, "growth"), each(grown, 17));
    let mut tree = each(CLOSURES, 1);
    tree.insert("rayon-scope".to_owned(), 1);
    assert_eq!(peers(&records, "tree"), tree);
    let maps = [
        "anthill",
        "anthill-unordered",
        "pariter",
        "rayon",
        "tokio-buffered",
    ];
    assert_eq!(peers(&records, "map"), each(maps, 1));
    let futures = each(["anthill", "async-executor", "tokio"], 1);
    assert_eq!(peers(&records, "yield"), futures);
    assert_eq!(peers(&records, "sleep10ms"), futures);
    let mut blocking = each(CLOSURES, 1);
    blocking.retain(|name, _| name != "tokio" && name != "async-executor");
    assert_eq!(peers(&records, "blocking10ms"), blocking);
    let expiring = each(["anthill", "rusty_pool", "tokio-blocking"], 1);
    assert_eq!(peers(&records, "expiry"), expiring);
    let servers = each(["anthill", "anthill-beside", "tokio"], 4);
    assert_eq!(peers(&records, "echo"), servers);
    let hosts = [
        "anthill",
        "anthill-two-pools",
        "async-executor-blocking",
        "tokio-blocking",
        "tokio-inline",
        "tokio-rayon",
    ];
    let mut mixed = each(hosts, 4);
    // It supports only TCP.
    mixed.insert("async-executor-blocking".to_owned(), 2);
    assert_eq!(peers(&records, "mixed"), mixed);
    let mut reverse = each(hosts, 1);
    reverse.remove("anthill-two-pools");
    assert_eq!(peers(&records, "mixed_yield"), reverse);

    for record in &records {
        assert_shape(record);
    }
}

/// Checks that a record has the keys of its case, and that each figure has three values in order.
fn assert_shape(record: &Value) {
    let name = format!("{} of {}", record["work"], record["impl"]);
    assert_eq!(record["lang"], "rust", "{name}");
    let version = record["version"].as_str().expect("a version");
    assert!(
        version.starts_with(|first: char| first.is_ascii_digit()),
        "{name}: {version}"
    );
    for key in ["threads", "producers", "tasks"] {
        assert!(record[key].as_u64() > Some(0), "{name}: {key}");
    }
    assert_eq!(record["rounds"], 2, "{name}");
    let bound = record["bound"].is_string();
    assert_eq!(
        bound,
        record["capacity"].is_u64(),
        "{name}: bound without capacity, or the reverse"
    );
    let work = record["work"].as_str().expect("a name");
    let counted = ["allocs_per_task", "bytes_per_task"];
    let timed = ["wall_s", "ns_per_task", "cpu_ns_per_task"];
    let (figures, counts): (&[&str], bool) = match work {
        "latency" => (&["p50_ns", "p99_ns", "p999_ns"], false),
        "waiting" => (&counted, false),
        "idle" => (&["cpu_percent"], false),
        "expiry" => (&["times_expiry"], false),
        "growth" | "map" => (&timed, false),
        "echo" => (&["ops_per_cpu_s", "ops_per_s", "p50_ns", "p99_ns"], false),
        "mixed" => (
            &["p50_ns", "p999_ns", "timer_p99_ns", "closures_per_s"],
            false,
        ),
        "mixed_yield" => (&["closures_per_s", "yields_per_s"], false),
        _ => (&timed, true),
    };
    let counted = if counts { &counted[..] } else { &[] };
    for key in figures.iter().chain(counted).chain(&["peak_rss_kib"]) {
        let value = |part| record[key][part].as_f64().unwrap_or(f64::NAN);
        let (min, median, max) = (value("min"), value("median"), value("max"));
        assert!(
            min <= median && median <= max && min >= 0.0,
            "{name}: {key}"
        );
    }
}

#[test]
fn external_peer_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("peer.sh");
    // It does one work, and reports the number of its arguments.
    let text = "[ \"$2\" = spin1us ] || { echo '{}'; exit; }\n\
                echo '{\"lang\":\"sh\",\"version\":\"5\",\"ns_per_task\":7,\"args\":'$#'}'\n";
    fs::write(&script, text).expect("the file is written");
    let peer = format!("shell=sh {}", script.display());
    let args = [
        "spin1us",
        "noop",
        "--only",
        "anthill,shell",
        "--peer",
        &peer,
    ];
    let records = records(folder.path(), &args);
    assert_eq!(peers(&records, "spin1us"), each(["anthill", "shell"], 1));
    assert_eq!(peers(&records, "noop"), each(["anthill"], 12));
    let shell = records.iter().find(|record| record["impl"] == "shell");
    let shell = shell.expect("the peer was compared");
    assert_eq!(
        (&shell["lang"], &shell["version"]),
        (&"sh".into(), &"5".into())
    );
    assert_eq!(shell["ns_per_task"]["median"], 7.0);
    // --work, --threads, --capacity, --producers and --tasks, each with a value.
    assert_eq!(shell["args"]["median"], 10.0);
}

#[test]
fn server_with_wrong_echo_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    // One client for each of two sizes and protocols. This ends the WebSocket handshakes by
    // closing.
    let server = thread::spawn(move || {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut first = [0];
            stream.read_exact(&mut first).expect("a byte");
            // The client may have disconnected before the end.
            let _ = stream.write_all(&[b'x'; 2000]);
        }
    });
    let peer = format!("wrong=sh -c 'echo {address}; exec sleep 60' sh");
    let args = [
        "echo",
        "--connections",
        "1",
        "--only",
        "wrong",
        "--peer",
        &peer,
    ];
    let output = compare(&args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{errors}");
    assert_eq!(
        errors.matches("the server returned a wrong echo").count(),
        2,
        "{errors}"
    );
    assert_eq!(errors.matches("compare: wrong: ").count(), 4, "{errors}");
    server.join().expect("four clients connected");
}

#[test]
fn peer_without_figures_is_reported() {
    let args = ["spin1us", "--only", "broken", "--peer", "broken=echo hello"];
    let output = compare(&args);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("broken printed no valid figures"),
        "{errors}"
    );
}

#[test]
fn unknown_peer_name_is_refused() {
    let output = compare(&["noop", "--only", "anthil"]);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("unknown peer `anthil`; known peers: anthill,"),
        "{errors}"
    );
}

#[test]
fn failed_peer_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("figures.json");
    let path = json.to_str().expect("a path in UTF-8");
    let output = compare(&[
        "tree",
        "spin1us",
        "--only",
        "anthill,broken",
        "--peer",
        "broken=false",
        "--json",
        path,
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("2 runs failed"),
        "{errors}"
    );
    let records = written_records(&json);
    assert_eq!(peers(&records, "tree"), each(["anthill"], 1));
    assert_eq!(peers(&records, "spin1us"), each(["anthill"], 1));
}

#[test]
fn short_tables_name_machine_and_mark_the_best() {
    let folder = tempfile::tempdir().expect("a folder");
    let (markdown, page) = (
        folder.path().join("table.md"),
        folder.path().join("plots.html"),
    );
    let args = [
        "spin1us",
        "--only",
        "anthill,rayon",
        "--markdown",
        markdown.to_str().expect("a path in UTF-8"),
        "--plots",
        page.to_str().expect("a path in UTF-8"),
    ];
    let records = records(folder.path(), &args);
    let version = records[0]["version"].as_str().expect("a version");
    let text = fs::read_to_string(&markdown).expect("the file was written");
    assert!(
        text.contains("Linux") && text.contains("rustc 1."),
        "{text}"
    );
    assert!(text.contains("--bin compare -- --smoke"), "{text}");
    assert!(text.contains(&format!("anthill {version}")), "{text}");
    let row = text.lines().find(|line| line.starts_with("| ns a task"));
    let row = row.expect("a row of the figure");
    assert_eq!(row.matches("**").count(), 2, "{row}");
    assert!(
        text.contains("rayon\\*") && text.contains("a semaphore holds it"),
        "{text}"
    );
    let page = fs::read_to_string(&page).expect("the file was written");
    assert_eq!(
        page.matches("<svg").count(),
        2,
        "a plot for each shown figure"
    );
}
