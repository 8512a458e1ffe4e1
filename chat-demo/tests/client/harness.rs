//! A server, a publisher, and the events of a reconnecting client.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use chat_demo_client::{Client, Event, News, Reconnecting, Settings};
use chat_demo_server::config::Config;
use chat_demo_server::server::Server;

/// Runs a test, which must not take for ever.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let patience = Duration::from_secs(60);
    runtime
        .block_on(async { tokio::time::timeout(patience, test).await })
        .expect("the test hangs");
    runtime.shutdown_background();
}

pub(crate) fn serve(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        // Whatever else the machine does meanwhile.
        max_cpu: 0,
        max_memory: 0,
        ..Config::default()
    };
    config.drain_notice = Duration::ZERO;
    config.presence_limit = 0;
    change(&mut config);
    Server::start(config).expect("a free port")
}

/// Starts a server at the address of an earlier server.
pub(crate) fn serve_again(address: SocketAddr) -> Server {
    serve(|config| config.listen = address.into())
}

/// Drains a server.
pub(crate) async fn drain(server: Server) {
    let drained = tokio::task::spawn_blocking(|| server.drain()).await;
    drained.expect("no panic").expect("all have gone");
}

pub(crate) fn url(server: &Server) -> String {
    format!("ws://{}/ws", server.address())
}

/// Returns a client that reconnects at once.
pub(crate) fn reconnecting(url: &str) -> Reconnecting {
    let settings = Settings {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(20),
        ..Settings::default()
    };
    let builder = Client::builder(url).name("ann");
    builder.reconnecting(settings).expect("a good address")
}

/// A plain client that is in the room "tea".
pub(crate) struct Speaker(Client);

impl Speaker {
    pub(crate) async fn enter(url: &str) -> Self {
        let mut client = Client::builder(url)
            .name("bob")
            .connect()
            .await
            .expect("a welcome");
        client.join("tea", None).await.expect("it is sent");
        let joined = client.next().await.expect("an answer").expect("a frame");
        assert!(matches!(joined, Event::Joined(_)), "{joined:?}");
        Self(client)
    }

    /// Publishes the numbers, each after the ack of its predecessor.
    pub(crate) async fn say(&mut self, numbers: RangeInclusive<u64>) {
        for number in numbers {
            let id = number.to_string();
            let publish = self.0.publish("tea", &id, Some(&id));
            publish.await.expect("it is sent");
            loop {
                match self.0.next().await.expect("not the end").expect("a frame") {
                    Event::Ack(ack) => break assert_eq!(ack.id, id),
                    Event::Message(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// Returns the next event.
pub(crate) async fn next(client: &mut Reconnecting) -> News {
    client.next().await.expect("not the end").expect("no error")
}

/// Returns the events in words, up to the first that begins with `word`. Failed attempts are left
/// out, because their number is unknown.
pub(crate) async fn events_until(client: &mut Reconnecting, word: &str) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let Some(said) = words(&next(client).await) else {
            continue;
        };
        events.push(said.clone());
        if said.starts_with(word) {
            return events;
        }
    }
}

pub(crate) fn words(news: &News) -> Option<String> {
    Some(match news {
        News::NotConnected { .. } => return None,
        News::Connected(_) => "connected".to_owned(),
        News::Disconnected { .. } => "disconnected".to_owned(),
        News::Reconnected(_) => "reconnected".to_owned(),
        News::Joined(joined) => format!("joined {} {}", joined.room, joined.seq),
        News::Message(message) => {
            if message.user == "bob" {
                assert_eq!(message.text, message.seq.to_string());
            }
            message.seq.to_string()
        }
        News::Recovered { messages, .. } => format!("recovered {messages}"),
        News::Lost { from, to, .. } => format!("lost {from}-{to}"),
        News::Renumbered { seq, .. } => format!("renumbered {seq}"),
        News::History { messages, .. } => {
            let numbers = messages.iter().map(|message| message.seq.to_string());
            format!("history {}", numbers.collect::<Vec<_>>().join(","))
        }
        News::Acked { id, seq, .. } => format!("acked {id} as {seq}"),
        News::Refused { id, error } => format!("refused {id} {:?}", error.code()),
        News::Unsure { id } => format!("unsure {id}"),
        News::Other(event) => format!("other {event:?}"),
        other => panic!("{other:?}"),
    })
}

pub(crate) fn numbers(range: RangeInclusive<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
