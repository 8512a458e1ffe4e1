//! One connection without reconnecting.

use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{ErrorCode, Level, OrderUpdate, PresenceEvent, State};
use chat_demo_client::{Client, ClientError, Event, Position, Received};
use serde_json::json;
use tokio::net::TcpListener;

use crate::harness::{drain, run, serve, url};
use crate::peer::Peer;

async fn next(client: &mut Client) -> Event {
    client.next().await.expect("not the end").expect("a frame")
}

async fn enter(url: &str, name: &str) -> Client {
    enter_in_epoch(url, name).await.0
}

/// A client that is in the room "tea", and the epoch of that.
async fn enter_in_epoch(url: &str, name: &str) -> (Client, String) {
    let mut client = Client::builder(url)
        .name(name)
        .connect()
        .await
        .expect("a welcome");
    assert_eq!(client.welcome().user, name);
    client.join("tea", None).await.expect("it is sent");
    let Event::Joined(joined) = next(&mut client).await else {
        panic!("not joined")
    };
    assert_eq!(joined.room, "tea");
    (client, joined.epoch)
}

fn assert_presence(event: &Event, expected: PresenceEvent) {
    let Event::Presence(presence) = event else {
        panic!("no presence: {event:?}")
    };
    assert_eq!(
        (presence.user.as_str(), presence.event()),
        ("bob", expected)
    );
}

#[test]
fn each_thing_that_a_server_says_has_its_event() {
    run(async {
        let server = serve(|config| config.presence_limit = 9);
        let mut ann = enter(&url(&server), "ann").await;
        let bob = enter(&url(&server), "bob").await;
        assert_presence(&next(&mut ann).await, PresenceEvent::Joined);
        bob.close().await.expect("the server answers");
        assert_presence(&next(&mut ann).await, PresenceEvent::Left);

        ann.publish("tea", "hi", Some("x")).await.expect("sent");
        let Event::Message(message) = next(&mut ann).await else {
            panic!("not said")
        };
        assert_eq!((message.seq, message.text.as_str()), (1, "hi"));
        let Event::Ack(ack) = next(&mut ann).await else {
            panic!("no ack")
        };
        assert_eq!((ack.id.as_str(), ack.seq), ("x", 1));

        ann.history("tea", None, 9).await.expect("sent");
        assert_eq!(next(&mut ann).await, Event::Message(message));

        ann.members("tea").await.expect("sent");
        assert!(matches!(next(&mut ann).await, Event::Members(_)));

        ann.user_state(State::Busy).await.expect("sent");
        let Event::UserState(state) = next(&mut ann).await else {
            panic!("no state")
        };
        assert_eq!(state.user.as_deref(), Some("ann"));

        let update = OrderUpdate {
            order: "7".to_owned(),
            status: "sent".to_owned(),
            room: Some("tea".to_owned()),
        };
        ann.order_update(&update).await.expect("sent");
        assert_eq!(next(&mut ann).await, Event::OrderUpdate(update));

        ann.alert(Level::Info, "fire").await.expect("sent");
        let Event::Error(error) = next(&mut ann).await else {
            panic!("a guest is no admin")
        };
        assert_eq!(error.code(), ErrorCode::Forbidden);

        ann.leave("tea").await.expect("sent");
        ann.publish("tea", "hi", None).await.expect("sent");
        let Event::Error(error) = next(&mut ann).await else {
            panic!("no member any more")
        };
        assert_eq!(error.code(), ErrorCode::NotMember);

        let draining = tokio::spawn(drain(server));
        assert!(matches!(next(&mut ann).await, Event::Bye(_)));
        let closed = next(&mut ann).await;
        assert!(matches!(closed, Event::Closed(close) if close.code == 1012));
        assert!(ann.next().await.is_none(), "nothing follows");
        drop(ann);
        draining.await.expect("all have gone");
    });
}

#[test]
fn returning_client_gets_missed_messages() {
    run(async {
        let server = serve(|_| ());
        let (mut ann, epoch) = enter_in_epoch(&url(&server), "ann").await;
        for text in ["one", "two", "three"] {
            ann.publish("tea", text, None).await.expect("sent");
            next(&mut ann).await;
        }
        ann.close().await.expect("the server answers");
        let ann = Client::builder(&url(&server)).connect().await;
        let mut ann = ann.expect("a welcome");
        let seen = Some(Position { epoch, seq: 1 });
        ann.join("tea", seen).await.expect("sent");
        assert!(matches!(next(&mut ann).await, Event::Joined(joined) if joined.recovered));
        for seq in 2..=3 {
            assert!(matches!(next(&mut ann).await, Event::Message(message) if message.seq == seq));
        }
    });
}

#[test]
fn a_quiet_client_sends_heartbeats_and_gives_up_a_silent_server() {
    run(async {
        let peer = Peer::start().await;
        let builder = Client::builder(&peer.url);
        let (mut guest, client) = tokio::join!(peer.welcome(5, 20), builder.connect());
        let mut client = client.expect("a welcome");
        let reading = tokio::spawn(async move {
            let silent = client.next().await.expect("an error");
            (silent, client.next().await)
        });
        guest.expect(Kind::HEARTBEAT).await;
        let (silent, end) = reading.await.expect("no panic");
        assert!(matches!(silent, Err(ClientError::Silent(_))), "{silent:?}");
        assert!(end.is_none(), "nothing follows");
    });
}

#[test]
fn a_server_that_answers_heartbeats_is_not_given_up() {
    run(async {
        let peer = Peer::start().await;
        let builder = Client::builder(&peer.url);
        let (mut guest, client) = tokio::join!(peer.welcome(40, 1_500), builder.connect());
        let mut client = client.expect("a welcome");
        let serving = async {
            for _ in 0..50 {
                guest.expect(Kind::HEARTBEAT).await;
                guest.say(Kind::HEARTBEAT, json!(null)).await;
            }
            guest
                .say(Kind::ALERT, json!({ "level": "info", "text": "enough" }))
                .await;
        };
        let ((), event) = tokio::join!(serving, client.next());
        assert!(matches!(event, Some(Ok(Event::Alert(_)))), "{event:?}");
    });
}

#[test]
fn a_text_message_ends_it() {
    run(async {
        let peer = Peer::start().await;
        let builder = Client::builder(&peer.url);
        let (mut guest, client) = tokio::join!(peer.welcome(30_000, 75_000), builder.connect());
        let mut client = client.expect("a welcome");
        guest.say(Kind::MESSAGE, json!({})).await;
        guest.say(Kind(0x70), json!({})).await;
        guest.say_text("hi").await;
        let bad = client.next().await.expect("an error");
        assert!(matches!(bad, Err(ClientError::Payload { .. })), "{bad:?}");
        assert_eq!(next(&mut client).await, Event::Unknown(Kind(0x70)));
        let text = client.next().await.expect("an error");
        assert!(matches!(text, Err(ClientError::Text)), "{text:?}");
        assert!(client.next().await.is_none(), "nothing follows");
    });
}

#[test]
fn texts_over_the_limit_are_not_sent() {
    run(async {
        let server = serve(|_| ());
        let mut ann = enter(&url(&server), "ann").await;
        let long = "x".repeat(70_000);
        let refused = ann.publish("tea", &long, None).await;
        let refused = refused.expect_err("it is too long");
        assert!(matches!(refused, ClientError::Frame(_)), "{refused}");
        ann.publish("tea", "short", None).await.expect("sent");
        assert!(matches!(next(&mut ann).await, Event::Message(_)));
    });
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    run(async {
        // The kernel accepts the connection, and no program reads.
        let mute = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = mute.local_addr().expect("it is bound");
        let time = Duration::from_millis(20);
        let builder = Client::builder(&format!("ws://{address}/ws")).timeout(time);
        let late = builder.connect().await.expect_err("no server answers");
        assert!(
            matches!(late, ClientError::Late(after) if after == time),
            "{late}"
        );
    });
}

#[test]
fn frames_can_be_had_unread() {
    run(async {
        let server = serve(|_| ());
        let mut ann = enter(&url(&server), "ann").await;
        ann.send(Kind::HEARTBEAT, "").await.expect("sent");
        let received = ann.next_frame().await.expect("a frame").expect("a frame");
        assert!(matches!(received, Received::Frame(Kind::HEARTBEAT, _)));
    });
}
