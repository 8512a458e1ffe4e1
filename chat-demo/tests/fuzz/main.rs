//! Runs the fuzz targets without a fuzzer: on the seeds, and on mutations of them.
//! See `fuzz/README.md`.

mod frame;
mod payload;
mod target;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use chat_demo_client::frame::Kind;
use chat_demo_client::subprotocol::Subprotocol;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use target::Target;

/// The longest payload that a server takes by default.
const LIMIT: usize = 64 * 1024;
/// The bytes that a payload may take while it is read, written and read again, for each byte of the
/// limit. The largest is a list of empty names: two bytes each, 24 as values. Two lists exist at
/// once, and a list takes half as much again while it grows.
const BYTES_A_BYTE: u64 = 40;

/// Returns the committed inputs of one target.
fn seeds(of: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(of);
    let files = fs::read_dir(folder).expect("a folder of seeds");
    files
        .map(|file| fs::read(file.expect("a file").path()).expect("its content"))
        .collect()
}

/// Returns seeds with some bytes changed, cut off, or followed by another seed.
fn inputs(of: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seed = select(seeds(of));
    let changes = prop::collection::vec(any::<(Index, u8)>(), 0..4);
    let end = prop::option::of(any::<Index>());
    let more = prop::option::weighted(0.2, seed.clone());
    (seed, changes, end, more).prop_map(|(mut bytes, changes, end, more)| {
        if let Some(end) = end.filter(|_| !bytes.is_empty()) {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes.extend(more.into_iter().flatten());
        if !bytes.is_empty() {
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        bytes
    })
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

/// Checks the seeds, then `cases` mutations of them or random inputs.
fn try_all(of: &str, cases: u32, check: impl Fn(&[u8])) {
    for seed in seeds(of) {
        check(&seed);
    }
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    });
    let inputs = prop_oneof![3 => inputs(of), 1 => any_bytes()];
    let result = runner.run(&inputs, |bytes| {
        check(&bytes);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn frames_make_a_round_trip() {
    try_all("frame", 5_000, |bytes| {
        let used = allocation_counter::measure(|| frame::check(bytes));
        // The bytes with a correct checksum, and the frame encoded again.
        let allowed = 2 * bytes.len() as u64;
        assert!(used.bytes_max <= allowed, "{used:?} for {}", bytes.len());
    });
}

#[test]
fn payloads_make_a_round_trip() {
    try_all("payload", 5_000, |bytes| {
        payload::check(bytes);
    });
}

#[test]
fn every_kind_with_a_payload_is_checked() {
    let has_payload = |kind: &Kind| ![Kind::HEARTBEAT, Kind::PANIC].contains(kind);
    let kinds = Kind::NAMED.iter().map(|(kind, _)| *kind);
    let kinds: Vec<_> = kinds.filter(has_payload).collect();
    assert_eq!(payload::CHECKS.map(|(kind, _)| kind), kinds[..]);
}

#[test]
fn every_payload_has_a_seed_that_can_be_read() {
    let seeds = seeds("payload");
    let good = seeds.iter().filter(|seed| payload::check(seed));
    let picked: Vec<_> = good.map(|seed| payload::choice(seed[0])).collect();
    for (index, (kind, _)) in payload::CHECKS.iter().enumerate() {
        for subprotocol in [Subprotocol::Json, Subprotocol::Protobuf] {
            let is_picked = picked.contains(&(index, subprotocol));
            assert!(is_picked, "{kind:?} in {subprotocol:?}");
        }
    }
}

#[test]
fn no_payload_takes_much_more_memory_than_its_limit() {
    let fill = |head: &str, unit: &str, tail: &str| {
        let count = (LIMIT - head.len() - tail.len()) / unit.len();
        format!("{head}{}{tail}", unit.repeat(count))
    };
    let payloads = [
        fill(r#"{"room":"tea","users":[""#, r#"",""#, r#""]}"#),
        fill(r#"{"room":"tea","users":["#, "[", ""),
        fill(r#"{"room":"tea","text":""#, "x", r#""}"#),
        fill(r#"{"room":"tea","text":""#, r"\n", r#""}"#),
        fill(r#"{"room":"tea","text":""#, r"\ud83d\ude00", r#""}"#),
        fill(r#"{"room":"tea","text":"","more":["#, "{},", "0]}"),
        fill(r#"{"room":"tea","text":"""#, r#","x":0"#, "}"),
        fill("", "[", ""),
        fill("", r#"{"":"#, ""),
        fill("", "9", ""),
    ];
    for payload in payloads {
        check_memory(payload.as_bytes(), Subprotocol::Json);
    }
    // A room's name, empty names of users, and groups within groups.
    for field in [&b"\x0A\x01t"[..], b"\x12\0", b"\x0B"] {
        check_memory(&field.repeat(LIMIT / field.len()), Subprotocol::Protobuf);
    }
    let messages = b"*\0".repeat(LIMIT / 2 - 2);
    check_memory(
        &[b"\x12\x01x", &messages[..]].concat(),
        Subprotocol::Protobuf,
    );
}

fn check_memory(payload: &[u8], subprotocol: Subprotocol) {
    assert!(payload.len() <= LIMIT);
    for (kind, check) in payload::CHECKS {
        let used = allocation_counter::measure(|| {
            // A server reads no messages from clients.
            if kind == Kind::SEARCH && subprotocol.read_search(payload).is_err() {
                return;
            }
            check(payload, subprotocol);
        });
        let allowed = BYTES_A_BYTE * LIMIT as u64;
        let begin = payload[..40].escape_ascii();
        assert!(
            used.bytes_max <= allowed,
            "{used:?}, {subprotocol:?}: {begin}"
        );
    }
}

#[test]
fn streams_of_any_bytes_are_answered_in_whole_messages() {
    let target = Target::start();
    try_all("stream", 500, |bytes| target.stream(bytes));
    assert_no_panics(&target);
}

#[test]
fn conversations_of_any_frames_are_answered_in_whole_frames() {
    let target = Target::start();
    try_all("conversation", 500, |bytes| target.conversation(bytes));
    assert_no_panics(&target);
}

/// The pool contains panics, so read the server's count.
fn assert_no_panics(target: &Target) {
    let mut stream = TcpStream::connect(target.address()).expect("it listens");
    let request = b"GET /api/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("it reads");
    let mut stats = String::new();
    stream.read_to_string(&mut stats).expect("text");
    assert!(stats.contains(r#""panics":0"#), "{stats}");
}
