//! Data files that are damaged at the start or later.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Client, Server, run};
use crate::process::Process;

/// Returns the exit code and the output of a server that fails at start.
fn start(command: &mut Command, path: &Path) -> (Option<i32>, Vec<String>) {
    let output = command
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let lines = String::from_utf8(output.stderr).expect("text");
    (
        output.status.code(),
        lines.lines().map(str::to_owned).collect(),
    )
}

fn server() -> Command {
    Command::new(env!("CARGO_BIN_EXE_chat-demo"))
}

/// Returns the only line, which names the file and the error.
fn assert_refused((code, lines): &(Option<i32>, Vec<String>), path: &Path, why: &str) {
    assert_eq!(*code, Some(1), "{lines:?}");
    let [line] = &lines[..] else {
        panic!("not one line: {lines:?}")
    };
    let begin = format!("chat-demo: cannot open data file `{}`: ", path.display());
    assert!(line.starts_with(&begin) && line.contains(why), "{line}");
    assert!(line.contains("--data"), "{line}");
}

#[test]
fn a_foreign_file_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_refused(
        &start(&mut server(), folder.path()),
        folder.path(),
        "directory",
    );
    let text = folder.path().join("notes.txt");
    fs::write(&text, "milk, tea\n".repeat(1000)).expect("there is space");
    assert_refused(&start(&mut server(), &text), &text, "");
    assert_eq!(
        fs::read(&text).expect("it is there").len(),
        10_000,
        "it is left alone"
    );
    let nowhere = folder.path().join("nowhere/chat.redb");
    assert_refused(&start(&mut server(), &nowhere), &nowhere, "No such file");
}

#[test]
fn file_without_permission_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    fs::write(&path, "").expect("there is space");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("our own");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("our own");
    let is_root = fs::read(&path).is_ok();
    let program = folder.path().join("chat-demo");
    fs::copy(env!("CARGO_BIN_EXE_chat-demo"), &program).expect("there is space");
    let mut command = if is_root {
        // Root may open every file.
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    assert_refused(&start(&mut command, &path), &path, "Permission denied");
}

/// Returns a file with some messages.
async fn file(path: &Path) -> Vec<u8> {
    let server = Server::with(|config| config.data = Some(path.to_owned()));
    let mut ann = server.enter_room("ann", "tea").await;
    for _ in 0..20 {
        publish(&mut ann, &"x".repeat(500))
            .await
            .expect("there is space");
    }
    ann.close().await;
    server.stop().await.expect("no panic").expect("drained");
    fs::read(path).expect("it is there")
}

/// Returns the file of a server that was killed.
async fn killed(path: &Path) -> Vec<u8> {
    let server = Process::serve(&["--data", path.to_str().expect("text")]);
    let mut ann = server.enter_room("ann", "tea").await;
    for _ in 0..20 {
        publish(&mut ann, &"x".repeat(500))
            .await
            .expect("there is space");
    }
    server.kill();
    fs::read(path).expect("it is there")
}

/// Returns the number of a text, or the code of the error.
async fn publish(client: &mut Client, text: &str) -> Result<Value, String> {
    let publish = json!({ "room": "tea", "text": text, "id": "1" });
    client.say(Kind::PUBLISH, publish).await;
    loop {
        match client.receive().await {
            (Kind::ACK, ack) => return Ok(ack["seq"].clone()),
            (Kind::ERROR, error) => {
                assert_eq!(error["id"], "1");
                return Err(error["code"].as_str().expect("a code").to_owned());
            }
            _ => {}
        }
    }
}

/// Starts a server on a damaged file: it reports the error, or has all messages. Returns whether
/// it refused.
async fn check_damaged(path: &Path, content: &[u8], what: &str) -> bool {
    fs::write(path, content).expect("there is space");
    match Server::try_with(|config| config.data = Some(path.to_owned())) {
        Err(error) => {
            let line = error.to_string();
            assert!(
                line.starts_with("cannot open data file `"),
                "{what}: {line}"
            );
            assert!(!line.contains('\n'), "{what}: {line}");
            true
        }
        Ok(server) => {
            let joined = server.enter("ann").await.join("tea").await;
            assert_eq!(joined["seq"], 20, "{what}: something is lost in silence");
            false
        }
    }
}

#[test]
fn damaged_file_is_refused_or_whole_wherever_it_is_damaged() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let closed = file(&folder.path().join("closed.redb")).await;
        let killed = killed(&folder.path().join("killed.redb")).await;
        let path = folder.path().join("damaged.redb");
        for (whole, how) in [(closed, "closed"), (killed, "killed")] {
            let mut refused = 0;
            // A step that is no power of two reaches each place of a page.
            let offsets = (0..512).chain((512..whole.len()).step_by(whole.len() / 150 + 13));
            for offset in offsets.step_by(5) {
                let mut content = whole.clone();
                content[offset] ^= 0xFF;
                let what = format!("{how}, byte {offset} flipped");
                refused += usize::from(check_damaged(&path, &content, &what).await);
            }
            assert!(refused > 0, "no damage was noticed");
            for eighth in 1..8 {
                let len = whole.len() * eighth / 8;
                let what = format!("{how}, cut to {len} bytes");
                check_damaged(&path, &whole[..len], &what).await;
            }
        }
    });
}

#[test]
fn damaged_file_ends_the_process_with_one_line() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = file(&folder.path().join("chat.redb")).await;
        let path = folder.path().join("damaged.redb");
        let mut content = whole.clone();
        let middle = whole.len() / 2;
        content[4096..middle].fill(0xA5);
        fs::write(&path, &content).expect("there is space");
        assert_refused(&start(&mut server(), &path), &path, "");
    });
}

#[test]
fn file_that_is_removed_is_missed() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let server = Server::with(|config| config.data = Some(path.clone()));
        let mut ann = server.enter_room("ann", "tea").await;
        assert_eq!(publish(&mut ann, "one").await, Ok(json!(1)));
        let away = folder.path().join("away.redb");
        fs::rename(&path, &away).expect("it is there");
        // The server detects the damage in a silent room as well.
        while server.http("GET /readyz HTTP/1.1").await.status != 503 {}
        let figures = server.http("GET /metrics HTTP/1.1").await.body;
        assert!(figures.contains("\nchat_data_up 0\n"), "{figures}");
        assert_eq!(server.stats().await["data_up"], false);
        let refused = publish(&mut ann, "two").await;
        assert_eq!(refused, Err("overloaded".to_owned()));
        assert!(!path.exists(), "no other is made");

        fs::rename(&away, &path).expect("it is there");
        while server.http("GET /readyz HTTP/1.1").await.status != 200 {}
        assert_eq!(publish(&mut ann, "two").await, Ok(json!(2)));
        assert_eq!(server.stats().await["data_up"], true);
    });
}

#[test]
fn text_written_to_a_removed_file_is_uncertain() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let server = Server::with(|config| config.data = Some(path.clone()));
        let mut ann = server.enter_room("ann", "tea").await;
        assert_eq!(publish(&mut ann, "one").await, Ok(json!(1)));
        let away = folder.path().join("away.redb");
        fs::rename(&path, &away).expect("it is there");
        let refused = publish(&mut ann, "two").await.expect_err("it is away");
        assert!(
            ["uncertain", "overloaded"].contains(&&*refused),
            "{refused}"
        );
        fs::rename(&away, &path).expect("it is there");
        // Messages that were not delivered have no number.
        let seq = loop {
            if let Ok(seq) = publish(&mut ann, "three").await {
                break seq;
            }
        };
        assert_eq!(seq, 2);
        assert_eq!(ann.join("tea").await["seq"], 2);
    });
}

#[test]
fn file_that_went_back_begins_another_epoch() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let older = file(&path).await;
        let server = Server::with(|config| config.data = Some(path.clone()));
        let mut ann = server.enter("ann").await;
        let epoch = ann.join("tea").await["epoch"].take();
        for seq in 21..=23 {
            assert_eq!(publish(&mut ann, "hi").await, Ok(json!(seq)));
        }
        fs::remove_file(&path).expect("it is there");
        while server.http("GET /readyz HTTP/1.1").await.status != 503 {}
        fs::write(&path, &older).expect("there is space");
        while server.http("GET /readyz HTTP/1.1").await.status != 200 {}
        let publish = json!({ "room": "tea", "text": "hi" });
        ann.say(Kind::PUBLISH, publish).await;
        let joined = ann.expect(Kind::JOINED).await;
        assert_ne!(joined["epoch"], epoch);
        assert_eq!(
            (&joined["seq"], &joined["recovered"]),
            (&json!(20), &json!(false))
        );
        assert_eq!(ann.expect(Kind::MESSAGE).await["seq"], 21);
    });
}

#[test]
fn each_publish_is_answered_while_the_file_is_damaged() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let server = Server::with(|config| config.data = Some(path.clone()));
        let mut ann = server.enter_room("ann", "tea").await;
        let long = "x".repeat(60_000);
        for _ in 0..20 {
            publish(&mut ann, &long).await.expect("there is space");
        }
        let len = fs::metadata(&path).expect("it is there").len();
        let mut file = fs::File::options()
            .write(true)
            .open(&path)
            .expect("it is there");
        let garbage = vec![0xA5; usize::try_from(len).expect("it is small")];
        file.write_all(&garbage).expect("there is space");
        for _ in 0..20 {
            // The server may keep it in memory; each text has an answer.
            let _ = publish(&mut ann, &long).await;
        }
        // The server opens the file again, and reads all of it.
        let away = folder.path().join("away.redb");
        fs::rename(&path, &away).expect("it is there");
        while server.http("GET /readyz HTTP/1.1").await.status != 503 {}
        fs::rename(&away, &path).expect("it is there");
        for _ in 0..3 {
            let refused = publish(&mut ann, "hi").await;
            assert_eq!(refused, Err("overloaded".to_owned()));
        }
        assert_eq!(server.http("GET /readyz HTTP/1.1").await.status, 503);
        ann.say(Kind::MEMBERS, json!({ "room": "tea" })).await;
        assert_eq!(ann.expect(Kind::MEMBERS).await["users"], json!(["ann"]));
    });
}
