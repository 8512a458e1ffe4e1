//! Sessions in Redis, visible to all servers.

use chat_demo_client::{Client, ClientError, Event};

use crate::node::{Node, next, run, until};
use crate::redis::Redis;

#[test]
fn session_ends_with_its_connection_or_expires() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::with(&redis.url(), |config| config.node = "n".to_owned()).await;
        let ann = node.connect("ann").await;
        let key = format!("user:conn:{}", ann.welcome().session);
        let record = redis.ask(&["GET", &key]);
        assert!(
            record.contains(r#""user":"ann""#) && record.contains(r#""node":"n""#),
            "{record}"
        );
        let left: u64 = redis.ask(&["TTL", &key]).parse().expect("seconds");
        assert!((290..=300).contains(&left), "{left}");
        ann.close().await.expect("it is connected");
        until(async || redis.ask(&["EXISTS", &key]) == "0").await;
    });
}

#[test]
fn the_connections_of_a_user_are_bounded_over_all_servers() {
    run(async {
        let redis = Redis::start().await;
        let one_each = |config: &mut chat_demo_server::config::Config| config.user_connections = 1;
        let one = Node::with(&redis.url(), one_each).await;
        let two = Node::with(&redis.url(), one_each).await;
        let ann = one.connect("ann").await;
        let again = Client::builder(&two.url()).name("ann").connect().await;
        let Err(error @ ClientError::Refused(_)) = again else {
            panic!("not refused")
        };
        // The first connection may be lost although the server has not noticed.
        assert!(!error.is_final(), "{error}");
        ann.close().await.expect("it is connected");
        let mut third = loop {
            if let Ok(client) = Client::builder(&two.url()).name("ann").connect().await {
                break client;
            }
        };
        third.join("tea", None).await.expect("it is connected");
        assert!(matches!(next(&mut third).await, Event::Joined(_)));
    });
}

#[test]
fn servers_of_the_same_name_leave_each_other_s_sessions_alone() {
    run(async {
        let redis = Redis::start().await;
        let named = |config: &mut chat_demo_server::config::Config| config.node = "n".to_owned();
        let one = Node::with(&redis.url(), named).await;
        let two = Node::with(&redis.url(), named).await;
        let (ann, bob) = (one.connect("ann").await, two.connect("bob").await);
        let keys = [&ann, &bob].map(|client| format!("user:conn:{}", client.welcome().session));
        assert_ne!(keys[0], keys[1]);
        bob.close().await.expect("it is connected");
        until(async || redis.ask(&["EXISTS", &keys[1]]) == "0").await;
        assert_eq!(redis.ask(&["EXISTS", &keys[0]]), "1");
    });
}

#[test]
fn servers_without_a_name_choose_unique_ones() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::start(&redis.url()).await;
        let two = Node::start(&redis.url()).await;
        let (ann, bob) = (one.connect("ann").await, two.connect("bob").await);
        let names = [&ann, &bob].map(|client| client.welcome().node.clone());
        assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
        assert_ne!(names[0], names[1]);
    });
}
