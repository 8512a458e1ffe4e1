//! Recovery of messages after a lost connection.

use chat_demo_client::frame::Kind;
use chat_demo_client::{News, Reconnecting};
use futures_util::FutureExt;
use serde_json::json;
use tokio::task::yield_now;

use crate::harness::{
    Speaker, drain, events_until, next, numbers, reconnecting, run, serve, serve_again, url, words,
};
use crate::proxy::Proxy;

/// A client that is in the room "tea", over a line that a test can break.
async fn enter(proxy: &Proxy) -> Reconnecting {
    let mut ann = reconnecting(&proxy.url);
    ann.join("tea", None).expect("a good name");
    let events = events_until(&mut ann, "joined").await;
    assert_eq!(events, ["connected", "joined tea 0"]);
    ann
}

/// Reads everything in small steps, each of which is given up at once.
async fn impatient(client: &mut Reconnecting) -> News {
    loop {
        match client.next().now_or_never() {
            Some(news) => return news.expect("not the end").expect("no error"),
            None => yield_now().await,
        }
    }
}

/// Cuts the line while another client publishes 500 numbers. Returns the events up to the last
/// number.
async fn cut_while_others_speak(outbox_frames: usize, is_impatient: bool) -> Vec<String> {
    let server = serve(|config| {
        config.history = 1000;
        config.outbox_frames = outbox_frames;
    });
    let proxy = Proxy::start(server.address()).await;
    let mut ann = enter(&proxy).await;
    let mut bob = Speaker::enter(&url(&server)).await;
    bob.say(1..=100).await;
    let mut events = events_until(&mut ann, "20").await;
    proxy.cut();
    events.extend(events_until(&mut ann, "disconnected").await);
    bob.say(101..=400).await;
    proxy.resume();
    let speaking = tokio::spawn(async move { bob.say(401..=500).await });
    while events.last().is_none_or(|last| last != "500") {
        let news = if is_impatient {
            impatient(&mut ann).await
        } else {
            next(&mut ann).await
        };
        events.extend(words(&news));
    }
    speaking.await.expect("no panic");
    events
}

fn assert_complete(events: &[String]) {
    let is_number = |word: &&String| word.parse::<u64>().is_ok();
    let messages: Vec<_> = events.iter().filter(is_number).cloned().collect();
    assert_eq!(messages, numbers(1..=500), "each once, in order");
    let others: Vec<_> = events.iter().filter(|word| !is_number(word)).collect();
    assert_eq!(others.len(), 3, "{others:?}");
    assert_eq!(others[..2], ["disconnected", "reconnected"]);
    let position = |word: &str| events.iter().position(|event| event == word);
    let from = position("reconnected").expect("it is there");
    let to = position(others[2]).expect("it is there");
    assert_eq!(*others[2], format!("recovered {}", to - from - 1));
    assert!(to - from > 300, "what was said while the line was cut");
}

#[test]
fn all_that_was_missed_comes_once_and_in_order() {
    run(async { assert_complete(&cut_while_others_speak(1000, false).await) });
}

#[test]
fn history_beyond_the_outbox_is_fetched_by_pages() {
    run(async { assert_complete(&cut_while_others_speak(128, false).await) });
}

#[test]
fn a_next_that_is_given_up_loses_nothing() {
    run(async {
        for outbox_frames in [128, 1000] {
            assert_complete(&cut_while_others_speak(outbox_frames, true).await);
        }
    });
}

#[test]
fn deleted_messages_are_reported_as_lost() {
    run(async {
        let server = serve(|config| config.history = 3);
        let proxy = Proxy::start(server.address()).await;
        let mut ann = enter(&proxy).await;
        let mut bob = Speaker::enter(&url(&server)).await;
        bob.say(1..=5).await;
        assert_eq!(events_until(&mut ann, "5").await, numbers(1..=5));
        proxy.cut();
        events_until(&mut ann, "disconnected").await;
        bob.say(6..=15).await;
        proxy.resume();
        let events = events_until(&mut ann, "recovered").await;
        let expected = ["reconnected", "lost 6-12", "13", "14", "15", "recovered 3"];
        assert_eq!(events, expected);
        bob.say(16..=16).await;
        assert_eq!(events_until(&mut ann, "16").await, ["16"]);
    });
}

#[test]
fn each_room_recovers_for_itself() {
    run(async {
        let server = serve(|_| ());
        let proxy = Proxy::start(server.address()).await;
        let mut ann = enter(&proxy).await;
        // Each room has its own order, and there is none between them.
        ann.join("milk", None).expect("a good name");
        ann.join("sugar", None).expect("a good name");
        for _ in ["milk", "sugar"] {
            events_until(&mut ann, "joined").await;
        }
        ann.leave("sugar").expect("a member");
        let mut bob = Speaker::enter(&url(&server)).await;
        proxy.cut();
        events_until(&mut ann, "disconnected").await;
        bob.say(1..=2).await;
        proxy.resume();
        let mut events = events_until(&mut ann, "recovered").await;
        events.extend(events_until(&mut ann, "recovered").await);
        let milk = events.iter().position(|word| word == "recovered 0");
        events.remove(milk.expect("nothing was said there"));
        assert_eq!(events, ["reconnected", "1", "2", "recovered 2"]);
    });
}

#[test]
fn repetitions_are_hidden() {
    run(async {
        let server = serve(|_| ());
        let mut ann = reconnecting(&url(&server));
        ann.join("tea", None).expect("a good name");
        events_until(&mut ann, "joined").await;
        let start = ann.position("tea").expect("it is joined").clone();
        let mut bob = Speaker::enter(&url(&server)).await;
        bob.say(1..=3).await;
        events_until(&mut ann, "3").await;
        // They were reported before.
        let history = json!({ "room": "tea", "limit": 3 });
        ann.send(Kind::HISTORY, &history).expect("it is small");
        let join = json!({ "room": "tea", "after": 0, "epoch": start.epoch });
        ann.send(Kind::JOIN, &join).expect("it is small");
        let id = ann.publish("tea", "4").expect("a member");
        let events = events_until(&mut ann, "acked").await;
        assert_eq!(events, ["4".to_owned(), format!("acked {id} as 4")]);
    });
}

#[test]
fn history_comes_as_it_was_asked_for() {
    run(async {
        let server = serve(|_| ());
        let mut bob = Speaker::enter(&url(&server)).await;
        bob.say(1..=9).await;
        let mut ann = reconnecting(&url(&server));
        ann.join("tea", None).expect("a good name");
        ann.history("tea", None, 3).expect("a member");
        ann.history("tea", Some(4), 9).expect("a member");
        ann.history("tea", Some(1), 9).expect("a member");
        let events = events_until(&mut ann, "history ").await;
        assert_eq!(events, ["connected", "joined tea 9", "history 7,8,9"]);
        assert_eq!(events_until(&mut ann, "history").await, ["history 1,2,3"]);
        assert_eq!(events_until(&mut ann, "history").await, ["history "]);
    });
}

#[test]
fn a_returning_program_gets_the_messages_since() {
    run(async {
        let server = serve(|_| ());
        let mut bob = Speaker::enter(&url(&server)).await;
        bob.say(1..=2).await;
        let mut ann = reconnecting(&url(&server));
        ann.join("tea", None).expect("a good name");
        events_until(&mut ann, "joined").await;
        let seen = ann.position("tea").cloned();
        ann.close().await.expect("the server answers");
        bob.say(3..=4).await;
        let mut ann = reconnecting(&url(&server));
        ann.join("tea", seen).expect("a good name");
        let events = events_until(&mut ann, "recovered").await;
        assert_eq!(
            events,
            ["connected", "joined tea 4", "3", "4", "recovered 2"]
        );
    });
}

#[test]
fn server_that_forgot_and_overtook_is_found_out() {
    run(async {
        let server = serve(|_| ());
        let address = server.address();
        let proxy = Proxy::start(address).await;
        let mut ann = enter(&proxy).await;
        let mut bob = Speaker::enter(&url(&server)).await;
        bob.say(1..=3).await;
        events_until(&mut ann, "3").await;
        proxy.cut();
        events_until(&mut ann, "disconnected").await;
        drop(bob);
        drain(server).await;
        let server = serve_again(address);
        let mut bob = Speaker::enter(&url(&server)).await;
        bob.say(1..=5).await;
        proxy.resume();
        let events = events_until(&mut ann, "recovered").await;
        let expected = [
            "reconnected",
            "renumbered 5",
            "1",
            "2",
            "3",
            "4",
            "5",
            "recovered 5",
        ];
        assert_eq!(events, expected);
    });
}
