//! A client that replaces lost connections.

mod answers;

use std::{
    collections::{BTreeMap, VecDeque},
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::Stream;
use serde::Serialize;
use tokio::time::sleep;

use super::{
    builder::Builder,
    connection::Connection,
    error::{ClientError, Result},
    link::{Link, Open},
    news::News,
    place::{Made, Place},
    position::Position,
    sending::Sending,
    settings::Settings,
    stream,
};
use crate::{
    backoff::Backoff,
    frame::Kind,
    payload::{self, Close},
};

/// A client that survives lost connections; made by [`Builder::reconnecting`].
///
/// [`next`](Self::next) does all the work: it connects, waits, sends and reads. The remaining
/// methods only enqueue and need no connection. There is no background task, so a program must keep
/// awaiting `next`. It is cancel safe, for use in `select!`.
///
/// # Messages
///
/// Each message of a room arrives once, in the order of the numbers. After a lost connection, the
/// client reconnects and sends its last number of each room. Missed messages arrive first, from the
/// recovery or the history; then [`News::Recovered`]. Deleted messages are reported as
/// [`News::Lost`] in their place. Other events of that time (presence, states, orders, alerts) are
/// lost.
///
/// If the server lost its data, a room begins a new epoch: [`News::Renumbered`].
///
/// # Publishing
///
/// Texts that were not sent, or not answered, before a connection was lost are sent over the next
/// one. Each text has an idempotency key, so the server delivers it once while the first is in its
/// history. The client also repeats a text after an `uncertain` error, and holds the texts of a
/// room that an overloaded server does not let it join. Each id is reported once: as acked,
/// refused, or [`News::Unsure`] if the repetition is refused or the server has given the client
/// another name. When the client has ended or was closed, texts still
/// [`unsettled`](Self::unsettled) have no answer.
///
/// # Reconnecting
///
/// Waits between attempts are random, up to a bound that doubles. The client honours a wait that
/// the server asks for, in a bye or as `Retry-After`. Some errors end it: see
/// [`ClientError::is_final`].
///
/// # Example
///
/// ```no_run
/// use chat_demo_client::{Client, News, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Client::builder("ws://127.0.0.1:8080/ws").name("ann");
/// let mut ann = builder.reconnecting(Settings::default())?;
/// ann.join("tea", None)?;
/// let id = ann.publish("tea", "milk?")?;
/// while let Some(news) = ann.next().await {
///     match news? {
///         News::Message(message) => println!("{}: {}", message.user, message.text),
///         News::Lost { from, to, .. } => println!("(messages {from} to {to} are lost)"),
///         News::Acked { id: acked, .. } if acked == id => break,
///         News::Unsure { id } => println!("(was {id} published?)"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reconnecting {
    builder: Builder,
    settings: Settings,
    backoff: Backoff,
    link: Link,
    places: BTreeMap<String, Place>,
    /// Events not returned yet; an error is the last.
    news: VecDeque<Result<News>>,
    sending: Sending,
    /// The user's name, after the first connection.
    user: Option<String>,
}

impl Builder {
    /// Creates a client that reconnects. It does nothing before `next` is awaited.
    ///
    /// Fails if the URL is not valid.
    pub fn reconnecting(self, settings: Settings) -> Result<Reconnecting> {
        stream::target(&self.url)?;
        Ok(Reconnecting {
            backoff: settings.backoff(),
            link: Link::Connecting(Box::pin(self.clone().dial())),
            builder: self,
            places: BTreeMap::new(),
            news: VecDeque::new(),
            sending: Sending::new(settings.max_unsent),
            user: None,
            settings,
        })
    }
}

impl Reconnecting {
    /// Joins `room` over this and all later connections. With `seen`, from
    /// [`position`](Self::position) of an earlier process, the messages since then follow. Has no
    /// effect if the room is joined.
    ///
    /// If the server refuses the join, its error arrives as [`News::Other`]. The client then joins
    /// again: after a wait if the server is overloaded, otherwise over the next connection.
    pub fn join(&mut self, room: &str, seen: Option<Position>) -> Result<()> {
        if !payload::is_name(room) {
            return Err(ClientError::RoomName(room.to_owned()));
        }
        if self.places.contains_key(room) {
            return Ok(());
        }
        let mut place = Place::new(room, seen, self.settings.max_held);
        if matches!(self.link, Link::Open(_)) {
            let mut made = Made::default();
            place.join_room(&mut made);
            self.take_made(made);
        }
        self.places.insert(room.to_owned(), place);
        Ok(())
    }

    /// Returns the position of the last message of `room`, to store for a later process; `None`
    /// before the room is joined.
    #[must_use]
    pub fn position(&self, room: &str) -> Option<&Position> {
        self.places.get(room)?.last.as_ref()
    }

    /// Leaves `room`. Its events end. Texts that were not sent are refused if the connection is
    /// lost before.
    ///
    /// Before joining the room again, wait for [`News::Joined`] and each requested
    /// [`News::History`]: the server's answers do not name the membership they belong to.
    pub fn leave(&mut self, room: &str) -> Result<()> {
        self.member(room)?;
        let leave = payload::Leave { room: room.into() };
        self.send(Kind::LEAVE, &leave)?;
        self.places.remove(room);
        self.sending.release(room);
        Ok(())
    }

    /// Publishes `text` in `room`, over this or the next connection. Returns an id; the result is
    /// [`News::Acked`], [`News::Refused`] or [`News::Unsure`] with this id.
    pub fn publish(&mut self, room: &str, text: &str) -> Result<u64> {
        self.member(room)?;
        self.sending.publish(room, text)
    }

    /// Requests at most `limit` messages of `room`, the newest before number `before`, over this or
    /// the next connection. [`News::History`] answers.
    pub fn history(&mut self, room: &str, before: Option<u64>, limit: u32) -> Result<()> {
        let max = self.settings.max_unsent;
        let place = self.member(room)?;
        if place.requested.len() >= max {
            return Err(ClientError::Full(max));
        }
        let mut made = Made::default();
        place.request(before, limit, &mut made);
        self.take_made(made);
        Ok(())
    }

    /// Sends any other frame, such as a user's state, an order or an alert. The frame is silently
    /// dropped without a connection, or if the connection is lost before it is sent.
    pub fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        if matches!(self.link, Link::Open(_)) {
            self.sending.send(kind, payload)?;
        }
        Ok(())
    }

    /// Returns how many texts have not been sent or answered.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.sending.unsettled()
    }

    /// Returns the next event; `None` after an error, which is the end. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<News>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Closes the connection, if there is one. To lose no text, first wait until none is
    /// [`unsettled`](Self::unsettled).
    pub async fn close(self) -> Result<()> {
        match self.link {
            Link::Open(open) => open.connection.close().await,
            _ => Ok(()),
        }
    }

    fn member(&mut self, room: &str) -> Result<&mut Place> {
        let place = self.places.get_mut(room);
        place.ok_or_else(|| ClientError::NotMember(room.to_owned()))
    }

    fn report(&mut self, news: News) {
        self.news.push_back(Ok(news));
    }

    fn take_made(&mut self, made: Made) {
        self.news.extend(made.news.into_iter().map(Ok));
        self.sending.extend(made.frames);
    }

    fn connected(&mut self, connection: Connection) {
        let welcome = connection.welcome.clone();
        self.sending.max_payload = welcome.max_payload;
        let open = Open::new(connection, self.settings.backoff());
        self.link = Link::Open(Box::new(open));
        let user = self.user.replace(welcome.user.clone());
        let connected = match &user {
            Some(_) => News::Reconnected,
            None => News::Connected,
        };
        let is_renamed = user.is_some_and(|user| user != welcome.user);
        self.report(connected(welcome));
        if is_renamed {
            for id in self.sending.give_up_repetitions() {
                self.report(News::Unsure { id });
            }
        }
        // Join the rooms first, because texts need a membership.
        let mut made = Made::default();
        for place in self.places.values_mut() {
            place.join_room(&mut made);
        }
        self.sending.put_first(made.frames);
    }

    fn not_connected(&mut self, reason: ClientError) {
        if reason.is_final() {
            self.link = Link::Over;
            self.news.push_back(Err(reason));
            return;
        }
        let stay_away = reason.retry_after().unwrap_or_default();
        let retry_in = self.wait(stay_away);
        self.report(News::NotConnected { reason, retry_in });
    }

    fn disconnected(&mut self, reason: ClientError) {
        let Link::Open(open) = &self.link else {
            return;
        };
        self.backoff.lasted(open.since.elapsed());
        let retry_in = self.wait(open.stay_away);
        self.report(News::Disconnected { reason, retry_in });
        self.sending.disconnected();
        for place in self.places.values_mut() {
            place.disconnected();
        }
    }

    /// Starts a wait of at least `stay_away` and returns its length.
    fn wait(&mut self, stay_away: Duration) -> Duration {
        let wait = self.backoff.next(stay_away);
        self.link = Link::Waiting(Box::pin(sleep(wait)));
        wait
    }
}

/// Yields the events of [`Reconnecting::next`].
impl Stream for Reconnecting {
    type Item = Result<News>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(news) = this.news.pop_front() {
                return Poll::Ready(Some(news));
            }
            match &mut this.link {
                Link::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    this.link = Link::Connecting(Box::pin(this.builder.clone().dial()));
                }
                Link::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)) {
                    Ok(connection) => this.connected(connection),
                    Err(error) => this.not_connected(error),
                },
                Link::Open(open) => {
                    if open.poll_join(cx).is_ready() {
                        this.join_again();
                        continue;
                    }
                    this.sending.poll(&mut open.connection, cx);
                    match ready!(open.connection.poll_receive(cx)) {
                        Some(Ok(received)) => this.on_received(received),
                        Some(Err(error)) => this.disconnected(error),
                        None => this.disconnected(ClientError::Closed(Close::missing())),
                    }
                }
                Link::Over => return Poll::Ready(None),
            }
        }
    }
}
