//! A connection as seen by its handlers.

use std::sync::Arc;

use chat_demo_client::payload::{ErrorCode, Payload, Search};
use chat_demo_client::subprotocol::Subprotocol;
use tokio::time::Instant;

use crate::connection::{Connection, Identity};
use crate::error::{CloseReason, Refusal};
use crate::hub::Registration;
use crate::node::Node;
use crate::outbox::{Ended, Outbox};
use crate::rate::{Cost, Rate};
use crate::rights::Rooms;
use crate::room::{Membership, Room, Searching};
use crate::sessions::{self, Record};

/// The context of a connection, which is opened, authenticated, active and closed (see [`State`]).
/// Dropping it closes the connection: it leaves the rooms and the hub, and its session ends.
pub(crate) struct Context {
    pub(crate) node: Arc<Node>,
    pub(crate) connection: Arc<Connection>,
    state: State,
    /// When the session was last recorded; set after the hello.
    renewed: Option<Instant>,
    /// Whether the user may send alerts and use the HTTP API.
    pub(crate) admin: bool,
    rooms: Rooms,
    /// When the connection has to end, or show a fresh token. Guests have no token.
    pub(crate) expires: Option<Instant>,
    memberships: Vec<Membership>,
    rate: Rate,
    /// The search that was asked for last.
    searching: Option<Searching>,
    _registration: Registration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The upgrade is done, and a hello has to come in time.
    Opened,
    /// After the hello: the user has a session and gets broadcasts.
    Authenticated,
    /// After the first frame besides hellos and heartbeats.
    Active,
}

impl Context {
    pub(crate) fn new(node: Arc<Node>, subprotocol: Subprotocol) -> Self {
        let outbox = Outbox::new(node.outbox_limits(), subprotocol);
        let connection = Arc::new(Connection::new(node.next_connection(), outbox));
        let registration = node.hub.register(connection.clone());
        let context = Self {
            rate: node.rates.connection(),
            node,
            connection,
            state: State::Opened,
            renewed: None,
            admin: false,
            rooms: Rooms::default(),
            expires: None,
            memberships: Vec::new(),
            searching: None,
            _registration: registration,
        };
        tracing::debug!(session = context.session(), "connection opened");
        context
    }

    /// Names the connection, unique among the nodes.
    pub(crate) fn session(&self) -> String {
        sessions::name(&self.node.config.node, self.connection.id)
    }

    /// The connection becomes authenticated. A second time only the same user's fresh token is
    /// taken.
    pub(crate) async fn identify(&mut self, identity: Identity) -> Result<(), Refusal> {
        let Identity { user, expires, .. } = identity;
        // A first hello that timed out has named the connection as well.
        let known = self.connection.user.get_or_init(|| user.clone());
        if *known != user || (self.state != State::Opened && expires.is_none()) {
            let message = "a second hello needs a token of the same user";
            return Err(Refusal::new(ErrorCode::BadPayload, message));
        }
        if self.state == State::Opened {
            self.open_session().await?;
            self.state = State::Authenticated;
        }
        (self.admin, self.rooms, self.expires) = (identity.admin, identity.rooms, expires);
        self.leave_forbidden().await;
        Ok(())
    }

    /// Leaves the rooms that a new token does not allow, and notifies the client.
    async fn leave_forbidden(&mut self) {
        let rooms = &self.rooms;
        let forbidden = |it: &mut Membership| !rooms.allows(it.room().name());
        let left: Vec<_> = self.memberships.extract_if(.., forbidden).collect();
        for membership in left {
            let room = membership.room().name();
            if let Err(refusal) = self.rooms.check(room) {
                self.refuse(&refusal.with_room(Some(room.to_owned())));
            }
            membership.leave().await;
        }
    }

    async fn open_session(&mut self) -> Result<(), Refusal> {
        // Record it first, so that it is closed even if the future is dropped meanwhile.
        self.renewed = Some(Instant::now());
        if self.node.sessions.open(self.record()).await {
            return Ok(());
        }
        self.renewed = None;
        let message = format!(
            "a user may have {} connections at a time: close another, or wait until a lost one times out",
            self.node.config.user_connections
        );
        Err(Refusal::new(ErrorCode::Overloaded, message).closing(CloseReason::UserConnections))
    }

    fn record(&self) -> Record {
        let user = self.connection.user.get().cloned().unwrap_or_default();
        let Connection { id, opened, .. } = *self.connection;
        self.node.sessions.record(user, id, opened)
    }

    /// Renews the session if it is due, after activity of the client.
    pub(crate) fn renewal(
        &mut self,
        heard: Instant,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let renewed = self.renewed.as_mut()?;
        if !self.node.sessions.is_due(*renewed, heard) {
            return None;
        }
        *renewed = heard;
        let (node, record) = (self.node.clone(), self.record());
        Some(async move { node.sessions.renew(record).await })
    }

    /// The client takes part.
    pub(crate) fn activate(&mut self) {
        self.state = State::Active;
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.state != State::Opened
    }

    /// Charges the client for a message that goes to others, or refuses it for coming too soon.
    pub(crate) fn charge(&self, cost: Cost) -> Result<(), Refusal> {
        let user = self.connection.user();
        self.node.rates.charge(user, &self.rate, cost)
    }

    /// Charges the client for another request, and holds it up if that comes too soon.
    pub(crate) async fn pace(&self, cost: Cost) {
        let Connection { user, outbox, .. } = &*self.connection;
        let user = user.get().map_or("", |user| user);
        let is_over = || outbox.is_sealed();
        self.node.rates.pace(user, &self.rate, cost, is_over).await;
    }

    /// Reads what came in a frame.
    pub(crate) fn read<P: Payload>(&self, payload: &[u8]) -> Result<P, Refusal> {
        Ok(self.subprotocol().read(payload)?)
    }

    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.connection.refuse(refusal, &self.node.tally);
    }

    pub(crate) fn subprotocol(&self) -> Subprotocol {
        self.connection.outbox.subprotocol()
    }

    /// The room of that name, if the connection is in it.
    pub(crate) fn room(&self, name: &str) -> Result<&Arc<Room>, Refusal> {
        self.membership(name).map(Membership::room)
    }

    pub(crate) fn check_right(&self, room: &str) -> Result<(), Refusal> {
        self.rooms.check(room)
    }

    /// Returns the membership in the room of that name. The token allows each room with a
    /// membership, so that only a missing one needs a check of rights.
    pub(crate) fn membership(&self, name: &str) -> Result<&Membership, Refusal> {
        let mut memberships = self.memberships.iter();
        let membership = memberships.find(|membership| membership.room().name() == name);
        membership.ok_or_else(|| match self.check_right(name) {
            Ok(()) => Refusal::new(ErrorCode::NotMember, format!("join {name:?} first")),
            Err(refusal) => refusal,
        })
    }

    /// Begins a search, and cancels the one before.
    pub(crate) fn search(&mut self, search: Search) -> Result<(), Refusal> {
        self.searching = None;
        let deadline = Instant::now() + self.node.config.request_timeout;
        let room = self.room(&search.room)?;
        let searching = room.search(self.connection.clone(), search, deadline.into_std())?;
        self.searching = Some(searching);
        Ok(())
    }

    /// Returns the room of that name, if a notice that the user writes something is due there.
    pub(crate) fn begin_typing(&mut self, room: &str) -> Option<Arc<Room>> {
        let mut memberships = self.memberships.iter_mut();
        let membership = memberships.find(|membership| membership.room().name() == room)?;
        membership.begin_typing().then(|| membership.room().clone())
    }

    /// All rooms that the connection is in.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Arc<Room>> {
        self.memberships.iter().map(Membership::room)
    }

    pub(crate) fn enter(&mut self, membership: Membership) {
        self.memberships.push(membership);
    }

    /// The place in the room of that name, out of the list.
    pub(crate) fn exit(&mut self, name: &str) -> Option<Membership> {
        let place = self.rooms().position(|room| room.name() == name)?;
        Some(self.memberships.swap_remove(place))
    }

    /// Leaves all rooms, in line with their other operations, and ends the session.
    pub(crate) async fn close(&mut self) {
        while let Some(membership) = self.memberships.pop() {
            membership.leave().await;
        }
        if self.renewed.is_some() {
            self.node.sessions.close(self.record()).await;
            self.renewed = None;
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let reason = match self.connection.outbox.ended() {
            Some(Ended::ByServer(reason)) => reason.into(),
            Some(Ended::ByClient) => "client",
            // By a panic, or with the server.
            None => "cut_off",
        };
        let (session, user) = (self.session(), self.connection.user());
        let open_for = self.connection.opened.elapsed().as_secs_f64();
        tracing::debug!(session, user, state = ?self.state, open_for, reason, "connection closed");
        // Rooms that still know the connection see that it takes nothing any more.
        self.connection.outbox.abandon();
        if self.renewed.is_some() {
            self.node.sessions.close_now(self.record());
        }
    }
}
