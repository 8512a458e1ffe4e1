//! When a client reconnects, and when it ends.

use std::net::Ipv4Addr;
use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_client::{Client, ClientError, News, Position, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{
    Speaker, drain, events_until, next, reconnecting, run, serve, serve_again, url,
};
use crate::peer::{Guest, Peer};
use crate::proxy::Proxy;

#[test]
fn a_server_that_restarts_is_found_again_when_it_said_so() {
    run(async {
        let server = serve(|_| ());
        let (address, url) = (server.address(), url(&server));
        let mut ann = reconnecting(&url);
        ann.join("tea", None).expect("a good name");
        events_until(&mut ann, "joined").await;
        let mut bob = Speaker::enter(&url).await;
        bob.say(1..=3).await;
        drop(bob);
        events_until(&mut ann, "3").await;
        let draining = tokio::spawn(drain(server));
        events_until(&mut ann, "other Bye").await;
        let News::Disconnected { reason, retry_in } = next(&mut ann).await else {
            panic!("not the end")
        };
        let restarts = matches!(&reason, ClientError::Closed(close) if close.code == 1012);
        assert!(restarts, "{reason}");
        let (asked, more) = (Duration::from_secs(1), Duration::from_millis(1));
        assert!((asked..=asked + more).contains(&retry_in), "{retry_in:?}");
        draining.await.expect("all have gone");

        let _server = serve_again(address);
        let events = events_until(&mut ann, "recovered").await;
        assert_eq!(events, ["reconnected", "renumbered 0", "recovered 0"]);
        Speaker::enter(&url).await.say(1..=1).await;
        assert_eq!(events_until(&mut ann, "1").await, ["1"]);
    });
}

#[test]
fn an_unreachable_server_is_reported_and_retried() {
    run(async {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let free = free.expect("a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let mut ann = reconnecting(&format!("ws://{address}/ws"));
        for _ in 0..3 {
            let News::NotConnected { reason, .. } = next(&mut ann).await else {
                panic!("no server is there")
            };
            assert!(matches!(reason, ClientError::Connect { .. }), "{reason}");
        }
        let _server = serve_again(address);
        assert_eq!(events_until(&mut ann, "connected").await, ["connected"]);
    });
}

#[test]
fn a_full_server_is_tried_again_when_it_says() {
    run(async {
        let server = serve(|config| config.max_connections = 1);
        let first = Client::builder(&url(&server)).connect().await;
        let first = first.expect("a welcome");
        let mut ann = reconnecting(&url(&server));
        let News::NotConnected { reason, retry_in } = next(&mut ann).await else {
            panic!("it is full")
        };
        assert!(matches!(reason, ClientError::Handshake(_)), "{reason}");
        assert!(retry_in >= Duration::from_secs(1), "{retry_in:?}");
        first.close().await.expect("the server answers");
        events_until(&mut ann, "connected").await;
    });
}

#[test]
fn a_server_that_falls_silent_is_left() {
    run(async {
        let server = serve(|config| {
            config.heartbeat = Duration::from_millis(200);
            config.idle_timeout = Duration::from_secs(2);
        });
        let proxy = Proxy::start(server.address()).await;
        let mut ann = reconnecting(&proxy.url);
        ann.join("tea", None).expect("a good name");
        events_until(&mut ann, "joined").await;
        proxy.stall();
        let News::Disconnected { reason, .. } = next(&mut ann).await else {
            panic!("it said something")
        };
        assert!(matches!(reason, ClientError::Silent(_)), "{reason}");
        proxy.resume();
        let events = events_until(&mut ann, "recovered").await;
        assert_eq!(events, ["reconnected", "recovered 0"]);
    });
}

#[test]
fn a_bad_token_is_the_end() {
    run(async {
        let peer = Peer::start().await;
        for says_why in [true, false] {
            let builder = Client::builder(&peer.url).token("expired");
            let client = builder.reconnecting(Settings::default());
            let mut client = client.expect("a good address");
            let serving = async {
                let mut guest = peer.accept().await;
                if says_why {
                    let error = json!({ "code": "not_authenticated", "message": "bad token" });
                    guest.say(Kind::ERROR, error).await;
                }
                guest.close(1008).await;
            };
            let ((), end) = tokio::join!(serving, client.next());
            let end = end.expect("an error").expect_err("it is refused");
            assert_eq!(matches!(end, ClientError::Refused(_)), says_why, "{end}");
            assert!(client.next().await.is_none(), "nothing follows");
        }
    });
}

#[test]
fn a_bad_name_is_the_end() {
    run(async {
        let server = serve(|_| ());
        let builder = Client::builder(&url(&server)).name("x".repeat(65));
        let client = builder.reconnecting(Settings::default());
        let end = client.expect("a good address").next().await;
        let end = end.expect("an error").expect_err("it is refused");
        assert!(matches!(end, ClientError::Refused(_)), "{end}");
    });
}

#[test]
fn closed_connections_are_replaced_for_any_code() {
    run(async {
        let peer = Peer::start().await;
        let mut ann = reconnecting(&peer.url);
        // 1008 after the welcome: too slow, most likely.
        for code in [1000, 1001, 1008, 1012, 1013] {
            let serving = async { peer.welcome(30_000, 75_000).await.close(code).await };
            let ((), event) = tokio::join!(serving, async {
                next(&mut ann).await;
                next(&mut ann).await
            });
            let News::Disconnected { reason, .. } = event else {
                panic!("{event:?}")
            };
            let closed = matches!(&reason, ClientError::Closed(close) if close.code == code);
            assert!(closed, "{reason}");
        }
    });
}

#[test]
fn unreadable_frame_is_reported_and_skipped() {
    run(async {
        let peer = Peer::start().await;
        let mut ann = reconnecting(&peer.url);
        let serving = async {
            let mut guest = peer.welcome(30_000, 75_000).await;
            guest.say(Kind::PRESENCE, json!({ "room": 1 })).await;
            guest.say(Kind(0x70), json!({})).await;
            guest
        };
        let (_guest, event) = tokio::join!(serving, async {
            next(&mut ann).await;
            next(&mut ann).await
        });
        assert!(matches!(event, News::Unreadable(_)), "{event:?}");
        events_until(&mut ann, "other Unknown").await;
    });
}

/// Answers the next frame, a join, and returns it.
async fn answer_join(guest: &mut Guest, is_refused: bool) -> Value {
    let join = guest.expect(Kind::JOIN).await;
    if is_refused {
        let error = json!({ "code": "overloaded", "message": "", "room": "tea" });
        guest.say(Kind::ERROR, error).await;
    } else {
        let joined =
            json!({ "room": "tea", "seq": 3, "members": 1, "recovered": false, "epoch": "e" });
        guest.say(Kind::JOINED, joined).await;
    }
    join
}

async fn say_message(guest: &mut Guest, seq: u64) {
    let message = json!({ "room": "tea", "seq": seq, "user": "ida", "text": "", "ts": 0 });
    guest.say(Kind::MESSAGE, message).await;
}

fn seen(seq: u64) -> Position {
    let epoch = "e".to_owned();
    Position { epoch, seq }
}

#[test]
fn join_refused_for_now_is_repeated() {
    run(async {
        let peer = Peer::start().await;
        let mut ann = reconnecting(&peer.url);
        ann.join("tea", Some(seen(3))).expect("a good name");
        ann.join("coffee", None).expect("a good name");
        let serving = async {
            let mut guest = peer.welcome(30_000, 75_000).await;
            // Rooms are joined in the order of their names.
            guest.expect(Kind::JOIN).await;
            let first = answer_join(&mut guest, true).await;
            let again = [
                answer_join(&mut guest, true).await,
                answer_join(&mut guest, false).await,
            ];
            assert_eq!(again, [first.clone(), first]);
            guest
        };
        let (_guest, events) = tokio::join!(serving, events_until(&mut ann, "joined"));
        let refused = events
            .iter()
            .filter(|event| event.starts_with("other Error"));
        assert_eq!((refused.count(), events.len()), (2, 4), "{events:?}");
    });
}

#[test]
fn page_whose_end_was_refused_comes_over_the_next_connection() {
    run(async {
        let peer = Peer::start().await;
        let mut ann = reconnecting(&peer.url);
        ann.join("tea", None).expect("a good name");
        ann.history("tea", None, 2).expect("a member");
        let serving = async {
            let mut guests = Vec::new();
            for is_refused in [true, false] {
                let mut guest = peer.welcome(30_000, 75_000).await;
                answer_join(&mut guest, false).await;
                guest.expect(Kind::HISTORY).await;
                if !is_refused {
                    say_message(&mut guest, 2).await;
                }
                answer_join(&mut guest, is_refused).await;
                // The client, not the server, ends the first connection.
                guests.push(guest);
            }
            guests
        };
        let (_guests, events) = tokio::join!(serving, events_until(&mut ann, "history"));
        assert_eq!(events.last().map(String::as_str), Some("history 2"));
        let disconnected = events.iter().filter(|event| *event == "disconnected");
        assert_eq!(disconnected.count(), 1, "{events:?}");
    });
}

#[test]
fn refused_page_is_requested_again_before_it_is_lost() {
    run(async {
        let peer = Peer::start().await;
        let mut ann = reconnecting(&peer.url);
        ann.join("tea", Some(seen(0))).expect("a good name");
        let serving = async {
            let mut guests = Vec::new();
            for is_refused in [true, false] {
                let mut guest = peer.welcome(30_000, 75_000).await;
                answer_join(&mut guest, false).await;
                guest.expect(Kind::HISTORY).await;
                if is_refused {
                    // Of a request for messages, it does not name the room.
                    let error = json!({ "code": "overloaded", "message": "" });
                    guest.say(Kind::ERROR, error).await;
                } else {
                    for seq in 1..=3 {
                        say_message(&mut guest, seq).await;
                    }
                }
                answer_join(&mut guest, false).await;
                guests.push(guest);
            }
            guests
        };
        let (_guests, events) = tokio::join!(serving, events_until(&mut ann, "recovered"));
        let about_rooms = events.iter().filter(|event| !event.starts_with("other"));
        let about_rooms: Vec<_> = about_rooms.map(String::as_str).collect();
        assert_eq!(
            about_rooms[..3],
            ["connected", "joined tea 3", "disconnected"]
        );
        assert_eq!(
            about_rooms[3..],
            ["reconnected", "1", "2", "3", "recovered 3"]
        );
    });
}
