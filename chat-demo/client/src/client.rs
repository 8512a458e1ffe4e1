//! Clients of the server, for programs: frames in JSON over a WebSocket.
//!
//! A [`Client`] is one connection and returns every event. A [`Reconnecting`] replaces lost
//! connections, recovers missed messages, and hides repeated ones.
//!
//! Two clients that talk:
//!
//! ```no_run
//! use chat_demo_client::{Client, Event};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "ws://127.0.0.1:8080/ws";
//!
//! let mut ann = Client::builder(url).name("ann").connect().await?;
//! ann.join("tea", None).await?;
//! let joined = ann.next().await.expect("an answer")?;
//! assert!(matches!(joined, Event::Joined(_)));
//!
//! let mut bob = Client::builder(url).name("bob").connect().await?;
//! bob.join("tea", None).await?;
//! bob.publish("tea", "milk?", None).await?;
//! while let Some(event) = ann.next().await {
//!     if let Event::Message(message) = event? {
//!         assert_eq!((message.user.as_str(), message.text.as_str()), ("bob", "milk?"));
//!         break;
//!     }
//! }
//! ann.close().await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod connection;
mod error;
mod event;
mod link;
mod news;
mod place;
mod position;
mod pulse;
mod reconnecting;
mod sending;
mod settings;
mod stream;

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use serde::Serialize;
use tokio::net::TcpStream;

use self::connection::{Connection, encode};
use self::event::read_event;
pub use self::position::join;
pub use self::stream::target;
pub use self::{
    builder::Builder,
    error::{ClientError, Result},
    event::{Close, Event, Received},
    news::News,
    position::Position,
    reconnecting::Reconnecting,
    settings::Settings,
};
use crate::{
    frame::Kind,
    payload::{self, Payload},
    subprotocol::Subprotocol,
};

/// A connection that has been welcomed.
///
/// It sends heartbeats only while [`next`](Self::next) or [`next_frame`](Self::next_frame) is
/// awaited, so a program must keep reading. If the server sends nothing for the idle time of its
/// welcome, the connection ends with [`ClientError::Silent`].
///
/// The frames of a room arrive in the same order for all members: messages by number, without gaps.
/// The server handles frames in the order of the calls. A method that sends returns when the bytes
/// have been written, not when the server has handled them. Refusals arrive as [`Event::Error`].
#[derive(Debug)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Returns a builder for connections to a URL, like `ws://127.0.0.1:8080/ws`.
    #[must_use]
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    /// Opens a client over an existing TCP connection, in any subprotocol. Use `say` to send and
    /// `next_frame` to read.
    pub async fn open_speaking(
        stream: TcpStream,
        url: &str,
        hello: &payload::Hello,
        subprotocol: Subprotocol,
    ) -> Result<Self> {
        let connection = Connection::open(stream, url, hello, subprotocol).await?;
        Ok(Self { connection })
    }

    /// Sends a payload in the connection's subprotocol.
    pub async fn say<P: Payload>(&mut self, payload: &P) -> Result<()> {
        self.connection.say(payload)?;
        poll_fn(|cx| self.connection.poll_flush(cx)).await
    }

    /// Returns the subprotocol of the connection.
    pub fn subprotocol(&self) -> Subprotocol {
        self.connection.subprotocol
    }

    /// Returns the server's answer to the hello.
    #[must_use]
    pub fn welcome(&self) -> &payload::Welcome {
        &self.connection.welcome
    }

    /// Joins `room`; the server answers [`Event::Joined`]. The messages after `seen` follow, if the
    /// server still has all of them.
    pub async fn join(&mut self, room: &str, seen: Option<Position>) -> Result<()> {
        self.send(Kind::JOIN, &join(room.to_owned(), seen)).await
    }

    /// Leaves `room`.
    pub async fn leave(&mut self, room: &str) -> Result<()> {
        let room = room.to_owned();
        self.send(Kind::LEAVE, &payload::Leave { room }).await
    }

    /// Publishes `text` in `room`; with an `id`, [`Event::Ack`] or [`Event::Error`] answers.
    pub async fn publish(&mut self, room: &str, text: &str, id: Option<&str>) -> Result<()> {
        self.publish_with_key(room, text, id, None).await
    }

    /// Publishes `text` in `room` with an idempotency key. While the first text with a `key` is in
    /// the history, a repetition by the same user is acknowledged with its number, and not
    /// delivered.
    pub async fn publish_with_key(
        &mut self,
        room: &str,
        text: &str,
        id: Option<&str>,
        key: Option<&str>,
    ) -> Result<()> {
        let publish = payload::Publish {
            room: room.to_owned(),
            text: text.to_owned(),
            id: id.map(str::to_owned),
            key: key.map(str::to_owned),
        };
        self.send(Kind::PUBLISH, &publish).await
    }

    /// Requests at most `limit` messages of `room`, the newest before number `before`. They arrive
    /// as [`Event::Message`], the oldest first, without an end mark.
    pub async fn history(&mut self, room: &str, before: Option<u64>, limit: u32) -> Result<()> {
        let history = payload::History {
            room: room.to_owned(),
            before,
            limit,
        };
        self.send(Kind::HISTORY, &history).await
    }

    /// Requests the users in `room`; [`Event::Members`] answers.
    pub async fn members(&mut self, room: &str) -> Result<()> {
        let members = payload::Members {
            room: room.to_owned(),
            users: Vec::new(),
        };
        self.send(Kind::MEMBERS, &members).await
    }

    /// Sends the state of the user to the rooms that this client has joined.
    pub async fn user_state(&mut self, state: payload::State) -> Result<()> {
        let state = state.into();
        let user_state = payload::UserState { state, user: None };
        self.send(Kind::USER_STATE, &user_state).await
    }

    /// Sends the status of an order to the members of a room.
    pub async fn order_update(&mut self, update: &payload::OrderUpdate) -> Result<()> {
        self.send(Kind::ORDER_UPDATE, update).await
    }

    /// Sends an alert to every connection, if the user may.
    pub async fn alert(&mut self, level: payload::Level, text: &str) -> Result<()> {
        let alert = payload::Alert {
            level: level.into(),
            text: text.to_owned(),
        };
        self.send(Kind::ALERT, &alert).await
    }

    /// Sends any frame. It does not read, so a program that sends much must read in between.
    pub async fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        let frame = encode(kind, payload, self.welcome().max_payload)?;
        self.connection.feed(frame)?;
        poll_fn(|cx| self.connection.poll_flush(cx)).await
    }

    /// Returns the next event; `None` after the end. Cancel safe.
    ///
    /// After [`ClientError::Payload`] the next frame follows; any other error is the end.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Returns the next frame without decoding its payload. Cancel safe.
    pub async fn next_frame(&mut self) -> Option<Result<Received>> {
        poll_fn(|cx| self.connection.poll_receive(cx)).await
    }

    /// Sends a close and waits for the server's close.
    pub async fn close(self) -> Result<()> {
        self.connection.close().await
    }
}

/// Yields the events of [`Client::next`].
impl Stream for Client {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(self.connection.poll_receive(cx)) {
                Some(Ok(Received::Frame(Kind::HEARTBEAT, _))) => continue,
                Some(Ok(Received::Frame(kind, payload))) => Some(read_event(kind, &payload)),
                Some(Ok(Received::Close(close))) => Some(Ok(Event::Closed(close))),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            });
        }
    }
}
