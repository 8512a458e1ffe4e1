//! A room that is on several servers is one room.

use std::collections::HashSet;
use std::time::Duration;

use chat_demo_client::payload::{Level, OrderUpdate, State};
use chat_demo_client::{Client, Event, Position};
use chat_demo_server::config::Config;
use chat_demo_server::issue;
use chat_demo_server::secret::SecretArgs;

use crate::node::{Node, ack, join, message, messages, next, run, say};
use crate::redis::Redis;

#[test]
fn messages_reach_all_servers_in_one_order() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        for number in 0..50 {
            ann.publish("tea", &format!("a{number}"), None)
                .await
                .expect("it is connected");
            bob.publish("tea", &format!("b{number}"), None)
                .await
                .expect("it is connected");
        }
        let received = messages(&mut ann, 100).await;
        assert_eq!(received, messages(&mut bob, 100).await);
        let numbers: Vec<_> = received.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
        for who in ["a", "b"] {
            let said = received.iter().filter(|(_, text)| text.starts_with(who));
            let said: Vec<_> = said.map(|(_, text)| text.as_str()).collect();
            let order: Vec<_> = (0..50).map(|number| format!("{who}{number}")).collect();
            assert_eq!(said, order);
        }
    });
}

#[test]
fn guests_without_names_are_distinct_on_all_servers() {
    run(async {
        let redis = Redis::start().await;
        let mut names = HashSet::new();
        for _ in 0..3 {
            let node = Node::start(&redis.url()).await;
            let (one, two) = (node.connect("").await, node.connect("").await);
            names.extend([one, two].map(|client| client.welcome().user.clone()));
        }
        assert_eq!(names.len(), 6, "{names:?}");
    });
}

#[test]
fn an_ack_names_the_number_that_all_servers_know() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut bob = two.enter("bob", "tea").await;
        let mut ann = one.enter("ann", "tea").await;
        ann.publish("tea", "hi", Some("x"))
            .await
            .expect("it is connected");
        let ack = ack(&mut ann).await;
        assert_eq!((ack.id.as_str(), ack.seq), ("x", 1));
        let received = message(&mut bob).await;
        assert_eq!(
            (received.seq, received.user.as_str(), received.room.as_str()),
            (1, "ann", "tea")
        );
    });
}

#[test]
fn a_server_without_the_room_serves_its_history() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::start(&redis.url()).await;
        let mut ann = one.connect("ann").await;
        let epoch = join(&mut ann, "tea", None).await.epoch;
        let at = |seq| {
            let epoch = epoch.clone();
            Some(Position { epoch, seq })
        };
        for number in 1..=5 {
            ann.publish("tea", &number.to_string(), None)
                .await
                .expect("it is connected");
        }
        messages(&mut ann, 5).await;
        let two = Node::start(&redis.url()).await;
        let mut bob = two.connect("bob").await;
        let joined = join(&mut bob, "tea", at(2)).await;
        assert_eq!((joined.seq, joined.members, joined.recovered), (5, 2, true));
        let missed: Vec<_> = (3..=5).map(|seq| (seq, seq.to_string())).collect();
        assert_eq!(messages(&mut bob, 3).await, missed);
        bob.history("tea", Some(3), 10)
            .await
            .expect("it is connected");
        let older: Vec<_> = (1..=2).map(|seq| (seq, seq.to_string())).collect();
        assert_eq!(messages(&mut bob, 2).await, older);
        // Messages beyond the history are not recovered.
        let three = Node::with(&redis.url(), |config| config.history = 2).await;
        let mut cat = three.connect("cat").await;
        let joined = join(&mut cat, "tea", at(1)).await;
        assert_eq!((joined.seq, joined.recovered), (5, false));
    });
}

#[test]
fn a_server_that_keeps_no_history_joins_a_room_with_messages() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::start(&redis.url()).await;
        let mut ann = one.enter("ann", "tea").await;
        say(&mut ann, "tea", &["hi"]).await;
        let two = Node::with(&redis.url(), |config| config.history = 0).await;
        let mut bob = two.connect("bob").await;
        assert_eq!(join(&mut bob, "tea", None).await.seq, 1);
        say(&mut ann, "tea", &["there"]).await;
        assert_eq!(message(&mut bob).await.seq, 2);
    });
}

#[test]
fn unnumbered_frames_reach_all_servers() {
    run(async {
        let redis = Redis::start().await;
        let secret = "a secret of at least thirty-two bytes";
        let with_secret = |config: &mut Config| {
            config.secret.token_secret = Some(secret.as_bytes().to_vec().into());
            config.allow_guests = true;
        };
        let one = Node::with(&redis.url(), with_secret).await;
        let two = Node::with(&redis.url(), with_secret).await;
        let mut ann = one.enter("ann", "orders").await;
        let mut bob = two.enter("bob", "orders").await;
        let update = OrderUpdate {
            order: "7".to_owned(),
            status: "sent".to_owned(),
            room: None,
        };
        ann.order_update(&update).await.expect("it is connected");
        ann.user_state(State::Busy).await.expect("it is connected");
        for client in [&mut ann, &mut bob] {
            let Event::OrderUpdate(received) = next(client).await else {
                panic!("not an order")
            };
            assert_eq!(
                (received.order.as_str(), received.status.as_str()),
                ("7", "sent")
            );
            let Event::UserState(received) = next(client).await else {
                panic!("not a state")
            };
            assert_eq!(
                (received.user.as_deref(), received.state()),
                (Some("guest-ann"), State::Busy)
            );
        }
        let token = issue::run(&issue::Args {
            secret: SecretArgs {
                token_secret: Some(secret.as_bytes().to_vec().into()),
                token_secret_file: None,
            },
            user: "root".to_owned(),
            admin: true,
            rooms: Vec::new(),
            time: Duration::from_secs(60),
        });
        let admin = Client::builder(&one.url()).token(token.expect("a token"));
        let mut admin = admin.connect().await.expect("a welcome");
        admin
            .alert(Level::Critical, "fire")
            .await
            .expect("it is connected");
        for client in [&mut admin, &mut ann, &mut bob] {
            let Event::Alert(alert) = next(client).await else {
                panic!("not an alert")
            };
            assert_eq!(alert.text, "fire");
        }
    });
}
