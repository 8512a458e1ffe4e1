//! Texts whose connection is lost.

use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_client::{Client, ClientError, Event, Settings};
use futures_util::FutureExt;
use serde_json::json;

use crate::harness::{events_until, next, reconnecting, run, serve, url, words};
use crate::peer::Peer;
use crate::proxy::Proxy;

#[test]
fn text_without_an_answer_is_sent_again() {
    run(async {
        let server = serve(|_| ());
        let proxy = Proxy::start(server.address()).await;
        let mut ann = reconnecting(&proxy.url);
        ann.join("tea", None).expect("a good name");
        events_until(&mut ann, "joined").await;
        proxy.stall();
        let first = ann.publish("tea", "one").expect("a member");
        let second = ann.publish("tea", "two").expect("a member");
        assert!(ann.next().now_or_never().is_none(), "it is sent, no more");
        assert_eq!(ann.unsettled(), 2);
        proxy.cut();
        assert_eq!(
            events_until(&mut ann, "disconnected").await,
            ["disconnected"]
        );
        assert_eq!(ann.unsettled(), 2);
        let third = ann.publish("tea", "three").expect("a member");
        proxy.resume();
        for (id, seq) in [first, second, third].into_iter().zip(1..) {
            let events = events_until(&mut ann, "acked").await;
            assert_eq!(events.last(), Some(&format!("acked {id} as {seq}")));
        }
        assert_eq!(ann.unsettled(), 0);
    });
}

#[test]
fn text_whose_ack_was_lost_is_delivered_once() {
    run(async {
        let server = serve(|_| ());
        let proxy = Proxy::start(server.address()).await;
        let mut ann = reconnecting(&proxy.url);
        ann.join("tea", None).expect("a good name");
        events_until(&mut ann, "joined").await;
        let bob = Client::builder(&url(&server)).name("bob").connect().await;
        let mut bob = bob.expect("a welcome");
        bob.join("tea", None).await.expect("it is sent");
        // Bob gets only texts that follow the join.
        let joined = bob.next().await.expect("an answer").expect("a frame");
        assert!(matches!(joined, Event::Joined(_)), "{joined:?}");
        proxy.mute();
        let id = ann.publish("tea", "one").expect("a member");
        assert!(ann.next().now_or_never().is_none(), "it is sent, no more");
        assert_eq!(message(&mut bob).await, (1, "one".to_owned()));
        proxy.cut();
        events_until(&mut ann, "disconnected").await;
        proxy.resume();
        let events = events_until(&mut ann, "acked").await;
        assert_eq!(events.last(), Some(&format!("acked {id} as 1")));
        bob.publish("tea", "two", None).await.expect("it is sent");
        assert_eq!(message(&mut bob).await, (2, "two".to_owned()));
    });
}

#[test]
fn text_of_a_guest_with_another_name_is_unsure() {
    run(async {
        let server = serve(|_| ());
        let proxy = Proxy::start(server.address()).await;
        let settings = Settings {
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(20),
            ..Settings::default()
        };
        let guest = Client::builder(&proxy.url).reconnecting(settings);
        let mut guest = guest.expect("a good address");
        guest.join("tea", None).expect("a good name");
        events_until(&mut guest, "joined").await;
        proxy.stall();
        let id = guest.publish("tea", "one").expect("a member");
        assert!(guest.next().now_or_never().is_none(), "it is sent, no more");
        proxy.cut();
        events_until(&mut guest, "disconnected").await;
        proxy.resume();
        // The server has given it a name that had published nothing.
        let events = events_until(&mut guest, "unsure").await;
        assert_eq!(events, ["reconnected".to_owned(), format!("unsure {id}")]);
        assert_eq!(guest.unsettled(), 0);
    });
}

/// The number and the text of the next message.
async fn message(client: &mut Client) -> (u64, String) {
    loop {
        let event = client.next().await.expect("not the end");
        if let Event::Message(message) = event.expect("a frame") {
            return (message.seq, message.text);
        }
    }
}

/// Returns the event for a text that a server answers with these errors, one at each attempt.
async fn answered_with(codes: &[&str]) -> String {
    let peer = Peer::start().await;
    let mut ann = reconnecting(&peer.url);
    ann.join("tea", None).expect("a good name");
    ann.publish("tea", "one").expect("a member");
    let serving = async {
        let mut guest = peer.welcome(30_000, 75_000).await;
        guest.expect(Kind::JOIN).await;
        let joined = json!({
            "room": "tea", "seq": 0, "members": 1, "recovered": false, "epoch": "e"
        });
        guest.say(Kind::JOINED, joined).await;
        let first = guest.expect(Kind::PUBLISH).await;
        for (attempt, code) in codes.iter().enumerate() {
            if attempt > 0 {
                assert_eq!(guest.expect(Kind::PUBLISH).await, first);
            }
            let error = json!({ "code": code, "message": "", "id": first["id"] });
            guest.say(Kind::ERROR, error).await;
        }
        guest
    };
    let receiving = async {
        events_until(&mut ann, "joined").await;
        next(&mut ann).await
    };
    let (_guest, news) = tokio::join!(serving, receiving);
    words(&news).expect("not about the connection")
}

#[test]
fn uncertain_text_is_repeated_with_its_key() {
    run(async {
        assert_eq!(answered_with(&["overloaded"]).await, "refused 1 Overloaded");
        let repeated = answered_with(&["uncertain", "uncertain", "overloaded"]).await;
        assert_eq!(repeated, "unsure 1");
    });
}

#[test]
fn a_text_that_was_not_sent_goes_over_the_next_connection() {
    run(async {
        let server = serve(|_| ());
        let proxy = Proxy::start(server.address()).await;
        let mut ann = reconnecting(&proxy.url);
        ann.join("tea", None).expect("a good name");
        let first = ann.publish("tea", "before there is a connection");
        let first = first.expect("a member");
        let events = events_until(&mut ann, "acked").await;
        assert_eq!(events.last(), Some(&format!("acked {first} as 1")));
        proxy.cut();
        events_until(&mut ann, "disconnected").await;
        let texts = ["two", "three"].map(|text| ann.publish("tea", text).expect("a member"));
        assert_eq!(ann.unsettled(), 2);
        proxy.resume();
        for (id, seq) in texts.into_iter().zip(2..) {
            let events = events_until(&mut ann, "acked").await;
            assert_eq!(events.last(), Some(&format!("acked {id} as {seq}")));
        }
        assert_eq!(ann.unsettled(), 0);
        // It may go to another thread.
        let closing = tokio::spawn(ann.close()).await.expect("no panic");
        closing.expect("the server answers");
    });
}

#[test]
fn a_refused_text_is_reported_with_its_id() {
    run(async {
        let server = serve(|config| config.connection_rate = 1);
        let mut ann = reconnecting(&url(&server));
        ann.join("tea", None).expect("a good name");
        let texts = ["one", "two"].map(|text| ann.publish("tea", text).expect("a member"));
        let events = events_until(&mut ann, "refused").await;
        let refused = format!("refused {} RateLimited", texts[1]);
        assert_eq!(events.last(), Some(&refused));
    });
}

#[test]
fn invalid_frames_are_refused_before_sending() {
    run(async {
        let server = serve(|_| ());
        let settings = Settings {
            max_unsent: 2,
            ..Settings::default()
        };
        let builder = Client::builder(&url(&server));
        let mut ann = builder.reconnecting(settings).expect("a good address");
        let refused = ann
            .publish("tea", "hi")
            .expect_err("the room is not joined");
        assert!(matches!(refused, ClientError::NotMember(_)), "{refused}");
        let refused = ann.join(&"x".repeat(65), None).expect_err("too long");
        assert!(matches!(refused, ClientError::RoomName(_)), "{refused}");

        ann.join("tea", None).expect("a good name");
        ann.publish("tea", "one").expect("a place");
        ann.publish("tea", "two").expect("a place");
        let refused = ann.publish("tea", "three").expect_err("no place");
        assert!(matches!(refused, ClientError::Full(2)), "{refused}");
        events_until(&mut ann, "acked 2").await;
        let long = "x".repeat(1 << 20);
        let refused = ann.publish("tea", &long).expect_err("too long");
        assert!(matches!(refused, ClientError::Frame(_)), "{refused}");
        ann.publish("tea", "four").expect("a place");
        events_until(&mut ann, "acked 3").await;
    });
}

#[test]
fn text_behind_a_join_refused_for_now_waits_for_the_next_join() {
    run(async {
        let peer = Peer::start().await;
        let mut ann = reconnecting(&peer.url);
        ann.join("tea", None).expect("a good name");
        for text in ["one", "two"] {
            ann.publish("tea", text).expect("a member");
        }
        let serving = async {
            let mut guest = peer.welcome(30_000, 75_000).await;
            guest.expect(Kind::JOIN).await;
            let error = json!({ "code": "overloaded", "message": "", "room": "tea" });
            guest.say(Kind::ERROR, error).await;
            let mut texts = Vec::new();
            for _ in 0..2 {
                let text = guest.expect(Kind::PUBLISH).await;
                let error = json!({ "code": "not_member", "message": "", "id": text["id"] });
                guest.say(Kind::ERROR, error).await;
                texts.push(text);
            }
            guest.expect(Kind::JOIN).await;
            let joined =
                json!({ "room": "tea", "seq": 0, "members": 1, "recovered": false, "epoch": "e" });
            guest.say(Kind::JOINED, joined).await;
            for (text, seq) in texts.iter().zip(1..) {
                assert_eq!(guest.expect(Kind::PUBLISH).await, *text);
                let ack = json!({ "id": text["id"], "room": "tea", "seq": seq });
                guest.say(Kind::ACK, ack).await;
            }
            guest
        };
        let (_guest, events) = tokio::join!(serving, events_until(&mut ann, "acked 2"));
        assert_eq!(
            events[2..],
            ["joined tea 0", "acked 1 as 1", "acked 2 as 2"]
        );
        assert_eq!(ann.unsettled(), 0);
    });
}
