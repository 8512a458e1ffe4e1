//! Typing notices on several servers.

use chat_demo_client::payload::Typing;
use chat_demo_client::{Client, Event};
use chat_demo_server::config::Config;

use crate::node::{Node, next, run};
use crate::redis::Redis;

/// Allows notices in rooms of at most this many members.
fn limit(members: usize) -> impl FnOnce(&mut Config) {
    move |config| config.presence_limit = members
}

async fn notify(client: &mut Client) {
    let (room, user) = ("tea".to_owned(), None);
    let notified = client.say(&Typing { room, user }).await;
    notified.expect("it is connected");
}

async fn publish(client: &mut Client) {
    let published = client.publish("tea", "hi", None).await;
    published.expect("it is connected");
}

/// Returns the next event, and skips presence.
async fn next_but_presence(client: &mut Client) -> Event {
    loop {
        match next(client).await {
            Event::Presence(_) => {}
            event => return event,
        }
    }
}

#[test]
fn large_room_announces_no_notices() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::with(&redis.url(), limit(1)).await;
        let two = Node::with(&redis.url(), limit(10)).await;
        let mut ann = one.enter("ann", "tea").await;
        let _cid = one.enter("cid", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        notify(&mut ann).await;
        publish(&mut ann).await;
        let event = next_but_presence(&mut bob).await;
        assert!(matches!(event, Event::Message(_)), "{event:?}");
    });
}

#[test]
fn members_on_another_server_get_typing_notices() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::with(&redis.url(), limit(10)).await;
        let two = Node::with(&redis.url(), limit(10)).await;
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        notify(&mut ann).await;
        let Event::Typing(notice) = next_but_presence(&mut bob).await else {
            panic!("not a notice")
        };
        assert_eq!(notice.user.as_deref(), Some("ann"));
        // The user's own server gets the notice from Redis, and does not deliver it.
        publish(&mut ann).await;
        let event = next_but_presence(&mut ann).await;
        assert!(matches!(event, Event::Message(_)), "{event:?}");
    });
}
