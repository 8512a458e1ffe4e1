//! Searches in the history of a room.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Client, Server, run};

impl Client {
    /// Returns the answer to a search.
    async fn search(&mut self, search: Value) -> Value {
        self.say(Kind::SEARCH, search.clone()).await;
        let answer = self.expect(Kind::SEARCH).await;
        for field in ["room", "text"] {
            assert_eq!(answer[field], search[field]);
        }
        answer
    }

    /// Returns the numbers of the messages of tea that contain a text.
    async fn find(&mut self, text: &str) -> Vec<u64> {
        let search = json!({ "room": "tea", "text": text });
        numbers(&self.search(search).await)
    }

    async fn say_all(&mut self, texts: &[&str]) {
        for text in texts {
            self.publish("tea", text).await;
            self.expect(Kind::MESSAGE).await;
        }
    }
}

fn numbers(answer: &Value) -> Vec<u64> {
    let messages = answer["messages"].as_array().expect("messages");
    let numbers = messages.iter().map(|message| message["seq"].as_u64());
    numbers.map(|seq| seq.expect("a number")).collect()
}

#[test]
fn search_finds_texts_in_any_case() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        let texts = ["Green tea", "coffee", "TEAPOT", "Früh\n\"Tee\"", ""];
        ann.say_all(&texts).await;
        assert_eq!(ann.find("tea").await, [1, 3]);
        assert_eq!(ann.find("Tea").await, [1, 3]);
        assert_eq!(ann.find("FRÜH\n\"").await, [4]);
        assert_eq!(ann.find("ann").await, [0; 0]);
        let answer = ann.search(json!({ "room": "tea", "text": "coff" })).await;
        let message = &answer["messages"][0];
        assert_eq!(
            (&message["user"], &message["text"]),
            (&json!("ann"), &json!("coffee"))
        );
        assert!(message["ts"].as_u64() > Some(0), "{message}");
    });
}

#[test]
fn search_finds_letters_that_have_several_forms() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        ann.say_all(&["ΟΔΟΣ", "οδος", "Straße", "ſea", "İzmir"])
            .await;
        for text in ["σ", "ς", "ΟΔΟΣ", "οδοσ"] {
            assert_eq!(ann.find(text).await, [1, 2], "{text}");
        }
        assert_eq!(ann.find("STRASSE").await, [3]);
        assert_eq!(ann.find("SEA").await, [4]);
        assert_eq!(ann.find("İZMIR").await, [5]);
    });
}

#[test]
fn search_goes_back_by_pages() {
    run(async {
        let server = Server::with(|config| config.outbox_frames = 8);
        let mut ann = server.enter_room("ann", "tea").await;
        for number in 1..=90 {
            ann.say_all(&[&format!("tea {number}")]).await;
        }
        let search = json!({ "room": "tea", "text": "tea", "limit": 3 });
        assert_eq!(numbers(&ann.search(search).await), [88, 89, 90]);
        let search = json!({ "room": "tea", "text": "tea", "limit": 2, "before": 88 });
        assert_eq!(numbers(&ann.search(search).await), [86, 87]);
        // Without a limit, an answer fits the outbox.
        assert_eq!(ann.find("tea").await, [87, 88, 89, 90]);
        assert_eq!(ann.find("tea 1").await, [16, 17, 18, 19]);
        let search = json!({ "room": "tea", "text": "tea 1", "before": 16 });
        assert_eq!(numbers(&ann.search(search).await), [12, 13, 14, 15]);
        let search = json!({ "room": "tea", "text": "tea", "limit": 0 });
        assert_eq!(numbers(&ann.search(search).await), [0; 0]);
    });
}

#[test]
fn answer_is_no_longer_than_the_outbox_takes() {
    run(async {
        let server = Server::with(|config| config.outbox_bytes = 20_000);
        let mut ann = server.enter_room("ann", "tea").await;
        let texts = ["a", "b", "c"].map(|letter| letter.repeat(4000) + "tea");
        ann.say_all(&texts.each_ref().map(String::as_str)).await;
        assert_eq!(ann.find("tea").await, [2, 3]);
        // It exceeds a page, but a search that ended there would find no earlier message.
        ann.say_all(&[&("d".repeat(12_000) + "tea")]).await;
        assert_eq!(ann.find("tea").await, [4]);
        let search = json!({ "room": "tea", "text": "tea", "before": 4 });
        assert_eq!(numbers(&ann.search(search).await), [2, 3]);
    });
}

#[test]
fn answer_fits_a_frame_whatever_the_outbox_takes() {
    run(async {
        let server = Server::with(|config| {
            config.max_payload = 4 << 20;
            config.outbox_bytes = 64 << 20;
            config.history_room_bytes = 64 << 20;
            config.history_user_bytes = 64 << 20;
        });
        let mut ann = server.enter_room("ann", "tea").await;
        let text = "x".repeat(3 << 20) + "tea";
        ann.say_all(&[text.as_str(); 6]).await;
        assert_eq!(ann.find("tea").await, [2, 3, 4, 5, 6]);
    });
}

#[test]
fn search_is_for_members_and_needs_a_text() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let search = json!({ "room": "tea", "text": "hi" });
        ann.say(Kind::SEARCH, search.clone()).await;
        ann.expect_error("not_member").await;
        ann.join("tea").await;
        for text in [String::new(), "x".repeat(257)] {
            ann.say(Kind::SEARCH, json!({ "room": "tea", "text": text }))
                .await;
            ann.expect_error("bad_payload").await;
        }
        assert_eq!(numbers(&ann.search(search).await), [0; 0]);
    });
}
