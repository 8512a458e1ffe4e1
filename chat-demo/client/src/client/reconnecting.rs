//! A client that outlives its connections.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use fastrand::Rng;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    builder::Builder,
    connection::Connection,
    error::{ClientError, Result},
    event::{Event, Received, read_event},
    news::News,
    place::{Made, Place},
    position::Position,
    sending::{Answered, Sending},
    settings::Settings,
    stream,
};
use crate::{backoff::Backoff, frame::Kind, payload};

/// A client that survives lost connections; made by [`Builder::reconnecting`].
///
/// [`next`](Self::next) does all the work: it connects, waits, sends, reads. The other methods note what is wanted, at
/// once, and need no connection. There is no task behind it, so a program that stays has to await what comes; it may do
/// so in a `select!`, for a `next` that is dropped loses nothing.
///
/// # Messages
///
/// Each message of a room comes once, in the order of the numbers. When a connection is lost, the client comes back and
/// says which message of each room it saw last. What was missed comes first, from what the server sends again or, where
/// it does not, from its history; then [`News::Recovered`]. What the server has no more is told as [`News::Lost`], in
/// the place where it is missing. Other events of that time (presence, states, orders, alerts) are gone.
///
/// A room that begins a new epoch, because the server has lost what it had, is told as [`News::Renumbered`].
///
/// # Publishing
///
/// A text that was not sent, or not answered, when a connection was lost is sent over the next one. Each text has an
/// idempotency key, so that one that had arrived is not delivered a second time, as long as the server has the first in
/// its history. The same happens when the server does not know whether it has kept a text. Each id is told once: as acked
/// or refused, or as [`News::Unsure`] if a repetition is refused or the server knows the client under another name. When the client has ended, or is closed, what is still
/// [`unsettled`](Self::unsettled) has not been answered.
///
/// # Coming back
///
/// The waits between attempts double, up to a bound, and each is random below its bound. A server that says how long to
/// stay away, in a bye or as `Retry-After`, is obeyed. Some errors end it: see [`ClientError::is_final`].
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
pub struct Reconnecting {
    builder: Builder,
    settings: Settings,
    backoff: Backoff,
    link: Link,
    places: BTreeMap<String, Place>,
    /// Not told yet; an error is the last.
    news: VecDeque<Result<News>>,
    sending: Sending,
    /// The user's name, once it was connected.
    user: Option<String>,
}

enum Link {
    Waiting(Pin<Box<Sleep>>),
    Connecting(BoxFuture<'static, Result<Connection>>),
    Open(Box<Open>),
    Over,
}

struct Open {
    connection: Connection,
    since: Instant,
    /// How long the server asked to stay away.
    stay_away: Duration,
}

impl Builder {
    /// A client that comes back when its connection is lost. It does nothing before it is awaited.
    ///
    /// Fails at an address that no attempt could reach.
    pub fn reconnecting(self, settings: Settings) -> Result<Reconnecting> {
        stream::target(&self.url)?;
        Ok(Reconnecting::new(self, settings))
    }
}

impl Reconnecting {
    fn new(builder: Builder, settings: Settings) -> Self {
        Self {
            backoff: Backoff::new(settings.first_wait, settings.longest_wait, Rng::new()),
            link: Link::Connecting(Box::pin(builder.clone().dial())),
            builder,
            places: BTreeMap::new(),
            news: VecDeque::new(),
            sending: Sending::new(settings.max_unsent),
            user: None,
            settings,
        }
    }

    /// Becomes a member of `room`, and stays one over all connections. A program that has `seen` messages in an earlier
    /// life gets what was said since the last: see [`position`](Self::position). Nothing happens when the room is joined
    /// already.
    ///
    /// A server that refuses does not say which room it means: [`News::Other`] tells its error, and the client asks again
    /// over the next connection.
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
            place.connected(&mut made);
            self.take_made(made);
        }
        self.places.insert(room.to_owned(), place);
        Ok(())
    }

    /// Returns the last message of `room` that was told, to be kept for a later life; `None` before the room is joined.
    #[must_use]
    pub fn position(&self, room: &str) -> Option<&Position> {
        self.places.get(room)?.position()
    }

    /// Gives up membership in `room`. Nothing more is told of it; texts for it that were not sent will be refused if the
    /// connection is lost before they are.
    ///
    /// A program that joins the room again should wait until [`News::Joined`], and each [`News::History`] that it asked
    /// for, has come: the server's answers do not tell to which membership they belong.
    pub fn leave(&mut self, room: &str) -> Result<()> {
        self.member(room)?;
        let leave = payload::Leave {
            room: room.to_owned(),
        };
        self.send(Kind::LEAVE, &leave)?;
        self.places.remove(room);
        Ok(())
    }

    /// Says `text` in `room`, now or over the next connection. What becomes of it is told by the id that this returns:
    /// [`News::Acked`], [`News::Refused`] or [`News::Unsure`].
    pub fn publish(&mut self, room: &str, text: &str) -> Result<u64> {
        self.member(room)?;
        self.sending.publish(room, text)
    }

    /// Asks for at most `limit` messages of `room`, the newest before the number `before`; [`News::History`] answers,
    /// over this connection or the next.
    pub fn history(&mut self, room: &str, before: Option<u64>, limit: u32) -> Result<()> {
        let max = self.settings.max_unsent;
        let place = self.member(room)?;
        if place.wanted() >= max {
            return Err(ClientError::Full(max));
        }
        let mut made = Made::default();
        place.want(before, limit, &mut made);
        self.take_made(made);
        Ok(())
    }

    /// Sends any other frame: a user's state, an order, an alert, a question for the members of a room. It is dropped
    /// without a word when the connection is lost before it has left, or when there is none.
    pub fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        if matches!(self.link, Link::Open(_)) {
            self.sending.send(kind, payload)?;
        }
        Ok(())
    }

    /// How many texts have not been sent, or not been answered.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.sending.unsettled()
    }

    /// What happens next; `None` after an error, which is the end. Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<News>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Says goodbye, where there is a connection. A program that cares waits before until nothing is
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

    fn tell(&mut self, news: News) {
        self.news.push_back(Ok(news));
    }

    fn take_made(&mut self, made: Made) {
        self.news.extend(made.news.into_iter().map(Ok));
        self.sending.extend(made.frames);
    }

    fn connected(&mut self, connection: Connection) {
        let welcome = connection.welcome().clone();
        self.sending.max_payload = welcome.max_payload;
        self.link = Link::Open(Box::new(Open {
            connection,
            since: Instant::now(),
            stay_away: Duration::ZERO,
        }));
        let user = self.user.replace(welcome.user.clone());
        let connected = match &user {
            Some(_) => News::Reconnected,
            None => News::Connected,
        };
        let is_renamed = user.is_some_and(|user| user != welcome.user);
        self.tell(connected(welcome));
        if is_renamed {
            for id in self.sending.give_up_repetitions() {
                self.tell(News::Unsure { id });
            }
        }
        // The rooms first: the texts are for them.
        let mut made = Made::default();
        for place in self.places.values_mut() {
            place.connected(&mut made);
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
        self.tell(News::NotConnected { reason, retry_in });
    }

    fn disconnected(&mut self, reason: ClientError) {
        let Link::Open(open) = &self.link else {
            return;
        };
        self.backoff.lasted(open.since.elapsed());
        let retry_in = self.wait(open.stay_away);
        self.tell(News::Disconnected { reason, retry_in });
        self.sending.disconnected();
        for place in self.places.values_mut() {
            place.disconnected();
        }
    }

    /// Waits, for at least so long.
    fn wait(&mut self, stay_away: Duration) -> Duration {
        let wait = self.backoff.next(stay_away);
        self.link = Link::Waiting(Box::pin(sleep(wait)));
        wait
    }

    fn on_received(&mut self, received: Received) {
        match received {
            Received::Frame(Kind::HEARTBEAT, _) => {}
            Received::Frame(kind, payload) => match read_event(kind, &payload) {
                Ok(event) => self.on_event(event),
                Err(error) => self.tell(News::Unreadable(error)),
            },
            Received::Close { code, reason } => {
                self.disconnected(ClientError::Closed { code, reason });
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        let mut made = Made::default();
        match event {
            // Of a room that was left, there may be more on the way.
            Event::Message(message) => {
                if let Some(place) = self.places.get_mut(&message.room) {
                    place.on_message(message, &mut made);
                }
            }
            Event::Joined(joined) => {
                if let Some(place) = self.places.get_mut(&joined.room) {
                    place.on_joined(joined, &mut made);
                }
            }
            Event::Ack(ack) => {
                let payload::Ack { id, room, seq } = ack;
                if let Answered::Acked(id) = self.sending.acked(&id) {
                    self.tell(News::Acked { id, room, seq });
                }
            }
            Event::Error(error) => match self.sending.refused(&error) {
                Answered::Acked(_) | Answered::Again => {}
                Answered::Refused(id) => self.tell(News::Refused { id, error }),
                Answered::Unsure(id) => self.tell(News::Unsure { id }),
                Answered::Other => self.tell(News::Other(Event::Error(error))),
            },
            other => {
                if let (Event::Bye(bye), Link::Open(open)) = (&other, &mut self.link) {
                    open.stay_away = Duration::from_millis(bye.reconnect_after_ms);
                }
                self.tell(News::Other(other));
            }
        }
        self.take_made(made);
    }
}

/// As [`Reconnecting::next`].
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
                    this.sending.poll(&mut open.connection, cx);
                    match ready!(open.connection.poll_receive(cx)) {
                        Some(Ok(received)) => this.on_received(received),
                        Some(Err(error)) => this.disconnected(error),
                        None => this.disconnected(ClientError::Closed {
                            code: 1006,
                            reason: String::new(),
                        }),
                    }
                }
                Link::Over => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("builder", &self.builder)
            .field("settings", &self.settings)
            .field("rooms", &self.places.keys())
            .field("unsettled", &self.unsettled())
            .finish_non_exhaustive()
    }
}
