//! Typing notices on several servers.

use chat_demo_client::Event;
use chat_demo_client::payload::Typing;

use crate::node::{Node, next, run};
use crate::redis::Redis;

#[test]
fn large_room_announces_no_notices() {
    run(async {
        let redis = Redis::start().await;
        let limit = |most| {
            move |config: &mut chat_demo_server::config::Config| config.presence_limit = most
        };
        let one = Node::with(&redis.url(), limit(1)).await;
        let two = Node::with(&redis.url(), limit(10)).await;
        let mut ann = one.enter("ann", "tea").await;
        let _cid = one.enter("cid", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        let (room, user) = ("tea".to_owned(), None);
        ann.say(&Typing { room, user })
            .await
            .expect("it is connected");
        ann.publish("tea", "hi", None)
            .await
            .expect("it is connected");
        loop {
            match next(&mut bob).await {
                Event::Message(_) => break,
                event => assert!(matches!(event, Event::Presence(_)), "{event:?}"),
            }
        }
    });
}

#[test]
fn members_on_another_server_get_typing_notices() {
    run(async {
        let redis = Redis::start().await;
        let notices = |config: &mut chat_demo_server::config::Config| config.presence_limit = 10;
        let one = Node::with(&redis.url(), notices).await;
        let two = Node::with(&redis.url(), notices).await;
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        let (room, user) = ("tea".to_owned(), None);
        let typing = Typing { room, user };
        ann.say(&typing).await.expect("it is connected");
        let received = loop {
            match next(&mut bob).await {
                Event::Typing(typing) => break typing,
                Event::Presence(_) => {}
                other => panic!("not a notice: {other:?}"),
            }
        };
        assert_eq!(received.user.as_deref(), Some("ann"));
        // The user's own server gets the notice from Redis, and does not deliver it.
        ann.publish("tea", "hi", None)
            .await
            .expect("it is connected");
        loop {
            match next(&mut ann).await {
                Event::Message(_) => break,
                event => assert!(matches!(event, Event::Presence(_)), "{event:?}"),
            }
        }
    });
}
