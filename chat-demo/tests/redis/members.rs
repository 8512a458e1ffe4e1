//! The members of a room on all servers.

use std::time::Duration;

use chat_demo_client::payload::{Presence, PresenceEvent};
use chat_demo_client::{Client, Event};

use crate::node::{Node, join, members, next, run, until};
use crate::proxy::Proxy;
use crate::redis::Redis;

async fn presence(client: &mut Client) -> (PresenceEvent, String) {
    match next(client).await {
        Event::Presence(presence) => {
            let event = presence.event();
            let Presence { user, .. } = presence;
            (event, user)
        }
        other => panic!("not presence: {other:?}"),
    }
}

#[test]
fn members_are_counted_and_listed_over_all_servers() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.connect("bob").await;
        assert_eq!(join(&mut bob, "tea", None).await.members, 2);
        for client in [&mut ann, &mut bob] {
            assert_eq!(members(client, "tea").await, ["ann", "bob"]);
        }
        bob.leave("tea").await.expect("it is connected");
        until(async || members(&mut ann, "tea").await == ["ann"]).await;
    });
}

#[test]
fn a_member_that_leaves_and_returns_at_once_stays_listed() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        let mut bob = node.connect("bob").await;
        let mut cat = node.enter("cat", "tea").await;
        for _ in 0..20 {
            join(&mut bob, "tea", None).await;
            ann.leave("tea").await.expect("it is connected");
            join(&mut ann, "tea", None).await;
            // Members are removed in the order in which they left: after bob, nothing removes ann.
            bob.leave("tea").await.expect("it is connected");
            until(async || !members(&mut cat, "tea").await.contains(&"bob".to_owned())).await;
            until(async || members(&mut cat, "tea").await == ["ann", "cat"]).await;
        }
    });
}

#[test]
fn members_are_listed_in_order() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let names: Vec<_> = (10..40).map(|number| format!("user {number}")).collect();
        let mut clients = Vec::new();
        for name in names.iter().rev() {
            clients.push(node.enter(name, "tea").await);
        }
        assert_eq!(members(&mut clients[0], "tea").await, names);
    });
}

#[test]
fn presence_counts_a_user_on_two_servers_once() {
    run(async {
        let redis = Redis::start().await;
        let announced = |config: &mut chat_demo_server::config::Config| config.presence_limit = 10;
        let one = Node::with(&redis.url(), announced).await;
        let two = Node::with(&redis.url(), announced).await;
        let mut ann = one.enter("ann", "tea").await;
        let bob_here = one.enter("bob", "tea").await;
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Joined, "bob".into())
        );
        let bob_there = two.enter("bob", "tea").await;
        let cat = two.enter("cat", "tea").await;
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Joined, "cat".into())
        );
        bob_here.close().await.expect("it is connected");
        cat.close().await.expect("it is connected");
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Left, "cat".into())
        );
        drop(bob_there);
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Left, "bob".into())
        );
    });
}

#[test]
fn members_of_a_dead_server_expire() {
    run(async {
        let redis = Redis::start().await;
        let proxy = Proxy::start(redis.address).await;
        let short = |config: &mut chat_demo_server::config::Config| {
            config.presence_limit = 10;
            config.session_ttl = Duration::from_secs(3);
        };
        let one = Node::with(&redis.url(), short).await;
        let two = Node::with(&proxy.url(), short).await;
        let mut ann = one.enter("ann", "tea").await;
        let _bob = two.enter("bob", "tea").await;
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Joined, "bob".into())
        );
        // To the remaining servers, it is a failed machine.
        proxy.stall();
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Left, "bob".into())
        );
        assert_eq!(members(&mut ann, "tea").await, ["ann"]);
        // It was only disconnected.
        proxy.go_on();
        assert_eq!(
            presence(&mut ann).await,
            (PresenceEvent::Joined, "bob".into())
        );
    });
}
