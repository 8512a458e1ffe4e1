//! Members that check their messages, and publishers that remember acknowledged texts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::watch;

use chat_demo_client::{Builder, Client, Event, News, Reconnecting, Settings};
use tokio::task::JoinHandle;

/// Acknowledged texts of a room, by number.
pub(crate) type Acked = BTreeMap<u64, String>;

/// State that publishers share.
#[derive(Clone)]
pub(crate) struct Talk(Arc<watch::Sender<Said>>);

#[derive(Default)]
struct Said {
    acked: usize,
    enough: bool,
}

impl Talk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Said::default())))
    }

    /// Waits until so many more texts have been acknowledged.
    pub(crate) async fn goes_on(&self, more: usize) {
        let mut said = self.0.subscribe();
        let wanted = said.borrow().acked + more;
        let waited = said.wait_for(|said| said.acked >= wanted).await;
        waited.expect("it is counted here");
    }

    pub(crate) fn end(&self) {
        self.0.send_modify(|said| said.enough = true);
    }
}

/// Publishes texts, each once, until the talk ends. Returns the acknowledged texts.
pub(crate) fn publish(
    mut client: Client,
    room: &str,
    who: usize,
    talk: &Talk,
) -> JoinHandle<Acked> {
    let (room, talk) = (room.to_owned(), talk.clone());
    tokio::spawn(async move {
        let mut acked = Acked::new();
        for number in 0.. {
            if talk.0.borrow().enough {
                break;
            }
            let text = format!("{who}-{number}");
            client
                .publish(&room, &text, Some(&text))
                .await
                .expect("it is connected");
            loop {
                match client.next().await.expect("not the end").expect("readable") {
                    Event::Ack(ack) if ack.id == text => {
                        acked.insert(ack.seq, text);
                        talk.0.send_modify(|said| said.acked += 1);
                        break;
                    }
                    // The server may have kept it.
                    Event::Error(error) if error.id.as_ref() == Some(&text) => break,
                    _ => {}
                }
            }
        }
        acked
    })
}

/// Reads a room up to the message with a text, over as many connections as needed. Returns the
/// texts by number.
pub(crate) fn listen(client: Builder, room: &str, last: &str) -> JoinHandle<Acked> {
    let (room, last) = (room.to_owned(), last.to_owned());
    tokio::spawn(async move {
        let mut client: Reconnecting = client
            .reconnecting(Settings::default())
            .expect("an address");
        client.join(&room, None).expect("a room");
        let mut received = Acked::new();
        loop {
            match client
                .next()
                .await
                .expect("it never ends")
                .expect("it goes on")
            {
                News::Message(message) => {
                    let end = message.text == last;
                    let twice = received.insert(message.seq, message.text);
                    assert_eq!(twice, None, "number {} came twice", message.seq);
                    if end {
                        return received;
                    }
                }
                News::Lost { .. } | News::Renumbered { .. } => panic!("something is lost"),
                _ => {}
            }
        }
    })
}

/// Checks that the received messages have no gaps, and have each text once and all acknowledged
/// texts under their numbers.
pub(crate) fn check(received: &Acked, acked: &Acked) {
    let (first, last) = (received.keys().next(), received.keys().next_back());
    let (first, last) = (*first.expect("something"), *last.expect("something"));
    assert_eq!(received.len() as u64, last - first + 1, "there are gaps");
    let mut by_text = HashMap::new();
    for (seq, text) in received {
        let other = by_text.insert(text, seq);
        assert_eq!(other, None, "{text} has two numbers, {seq} and another");
    }
    for (seq, text) in acked.range(first..) {
        assert_eq!(
            received.get(seq),
            Some(text),
            "what was acknowledged as {seq}"
        );
    }
}
