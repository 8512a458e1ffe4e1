//! Searches in a room that several servers share.

use chat_demo_client::payload::Search;
use chat_demo_client::{Client, Event};

use crate::node::{Node, message, next, run};
use crate::redis::Redis;

/// Returns the numbers of the messages that contain a text.
async fn find(client: &mut Client, text: &str) -> Vec<u64> {
    let search = Search {
        room: "tea".to_owned(),
        text: text.to_owned(),
        ..Search::default()
    };
    client.say(&search).await.expect("it is connected");
    match next(client).await {
        Event::Search(answer) => answer.messages.iter().map(|it| it.seq).collect(),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn search_finds_messages_of_other_servers() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::start(&redis.url()).await;
        let mut ann = one.enter("ann", "tea").await;
        for text in ["Green tea", "coffee"] {
            ann.publish("tea", text, None)
                .await
                .expect("it is connected");
            message(&mut ann).await;
        }
        // The server reads the history when the first member joins.
        let two = Node::start(&redis.url()).await;
        let mut bob = two.enter("bob", "tea").await;
        ann.publish("tea", "TEAPOT", None)
            .await
            .expect("it is connected");
        message(&mut bob).await;
        assert_eq!(find(&mut bob, "tea").await, [1, 3]);
        message(&mut ann).await;
        assert_eq!(find(&mut ann, "tea").await, [1, 3]);
    });
}
