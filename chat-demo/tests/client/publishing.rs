//! What becomes of texts when the line breaks.

use chat_demo::client::{Client, ClientError, Settings};
use futures_util::FutureExt;

use crate::harness::{reconnecting, run, serve, told_until, url};
use crate::proxy::Proxy;

#[test]
fn a_text_that_was_sent_and_not_answered_is_unsure_and_not_sent_again() {
    run(async {
        let server = serve(|_| ());
        let proxy = Proxy::start(server.address()).await;
        let mut ann = reconnecting(&proxy.url);
        ann.join("tea", None).expect("a good name");
        told_until(&mut ann, "joined").await;
        proxy.stall();
        let first = ann.publish("tea", "one").expect("a member");
        let second = ann.publish("tea", "two").expect("a member");
        assert!(ann.next().now_or_never().is_none(), "it is sent, no more");
        assert_eq!(ann.unsettled(), 2);
        proxy.cut();
        let told = told_until(&mut ann, &format!("unsure {second}")).await;
        let unsure = |id| format!("unsure {id}");
        assert_eq!(
            told,
            ["disconnected".to_owned(), unsure(first), unsure(second)]
        );
        assert_eq!(ann.unsettled(), 0);
        proxy.resume();
        let third = ann.publish("tea", "three").expect("a member");
        let told = told_until(&mut ann, "acked").await;
        // The line had stalled before: none of the two had reached the server.
        assert_eq!(told.last(), Some(&format!("acked {third} as 1")));
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
        let told = told_until(&mut ann, "acked").await;
        assert_eq!(told.last(), Some(&format!("acked {first} as 1")));
        proxy.cut();
        told_until(&mut ann, "disconnected").await;
        let texts = ["two", "three"].map(|text| ann.publish("tea", text).expect("a member"));
        assert_eq!(ann.unsettled(), 2);
        proxy.resume();
        for (id, seq) in texts.into_iter().zip(2..) {
            let told = told_until(&mut ann, "acked").await;
            assert_eq!(told.last(), Some(&format!("acked {id} as {seq}")));
        }
        assert_eq!(ann.unsettled(), 0);
        // It may go to another thread.
        let closing = tokio::spawn(ann.close()).await.expect("no panic");
        closing.expect("the server answers");
    });
}

#[test]
fn a_refused_text_is_told_with_its_id() {
    run(async {
        let server = serve(|config| config.connection_rate = 1);
        let mut ann = reconnecting(&url(&server));
        ann.join("tea", None).expect("a good name");
        let texts = ["one", "two"].map(|text| ann.publish("tea", text).expect("a member"));
        let told = told_until(&mut ann, "refused").await;
        let refused = format!("refused {} RateLimited", texts[1]);
        assert_eq!(told.last(), Some(&refused));
    });
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    run(async {
        let server = serve(|_| ());
        let settings = Settings {
            max_unsent: 2,
            ..Settings::default()
        };
        let builder = Client::builder(&url(&server));
        let mut ann = builder.reconnecting(settings).expect("a good address");
        let refused = ann.publish("tea", "hi").expect_err("nobody is in");
        assert!(matches!(refused, ClientError::NotMember(_)), "{refused}");
        let refused = ann.join(&"x".repeat(65), None).expect_err("too long");
        assert!(matches!(refused, ClientError::RoomName(_)), "{refused}");

        ann.join("tea", None).expect("a good name");
        ann.publish("tea", "one").expect("a place");
        ann.publish("tea", "two").expect("a place");
        let refused = ann.publish("tea", "three").expect_err("no place");
        assert!(matches!(refused, ClientError::Full(2)), "{refused}");
        told_until(&mut ann, "acked 2").await;
        let long = "x".repeat(1 << 20);
        let refused = ann.publish("tea", &long).expect_err("too long");
        assert!(matches!(refused, ClientError::Frame(_)), "{refused}");
        ann.publish("tea", "four").expect("a place");
        told_until(&mut ann, "acked 3").await;
    });
}
