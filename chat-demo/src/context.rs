//! One connection as its handlers see it.

use std::sync::Arc;

use tokio::time::Instant;

use crate::connection::{Connection, Identity};
use crate::error::Refusal;
use crate::hub::Registration;
use crate::node::Node;
use crate::outbox::{Ended, Outbox};
use crate::payload::{ErrorCode, Payload};
use crate::rate::Rate;
use crate::room::{Membership, Room};
use crate::subprotocol::Subprotocol;

/// A connection is opened, then active once a hello has given it an identity, then closed: this is dropped, and with it
/// the connection's places in rooms and hub, in whatever way it ended.
pub(crate) struct Context {
    pub(crate) node: Arc<Node>,
    pub(crate) connection: Arc<Connection>,
    admin: bool,
    /// When the token ends; guests have none.
    expires: Option<Instant>,
    memberships: Vec<Membership>,
    rate: Rate,
    _registration: Registration,
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
            admin: false,
            expires: None,
            memberships: Vec::new(),
            _registration: registration,
        };
        tracing::debug!(session = context.session(), "connection opened");
        context
    }

    /// Names the connection, unique among the nodes.
    pub(crate) fn session(&self) -> String {
        format!("{}-{}", self.node.config.node, self.connection.id)
    }

    /// The connection becomes active. A second time only the same user's fresh token is taken.
    pub(crate) fn identify(&mut self, identity: Identity) -> Result<(), Refusal> {
        let Identity {
            user,
            admin,
            expires,
        } = identity;
        let fresh = expires.is_some() && self.connection.user.get() == Some(&user);
        if self.connection.user.set(user).is_err() && !fresh {
            return Err(Refusal::new(ErrorCode::BadPayload, "a second hello"));
        }
        (self.admin, self.expires) = (admin, expires);
        Ok(())
    }

    pub(crate) fn is_active(&self) -> bool {
        self.connection.user.get().is_some()
    }

    /// Whether it may alert everybody.
    pub(crate) fn is_admin(&self) -> bool {
        self.admin
    }

    /// When the connection has to end, or show a fresh token.
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.expires
    }

    /// Counts a frame that goes to others, or refuses it for coming too soon.
    pub(crate) fn charge(&self) -> Result<(), Refusal> {
        self.node.rates.charge(self.connection.user(), &self.rate)
    }

    /// Reads what came in a frame.
    pub(crate) fn read<P: Payload>(&self, payload: &[u8]) -> Result<P, Refusal> {
        let read = self.subprotocol().read(payload);
        read.map_err(|error| Refusal::new(ErrorCode::BadPayload, error.to_string()))
    }

    /// Queues a payload for the client itself.
    pub(crate) fn reply<P: Payload>(&self, payload: &P) {
        self.connection.tell(payload, &self.node.tally);
    }

    /// Tells the client why a frame was not obeyed.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.connection.refuse(refusal, &self.node.tally);
    }

    pub(crate) fn subprotocol(&self) -> Subprotocol {
        self.connection.outbox.subprotocol()
    }

    /// The room of that name, if the connection is in it.
    pub(crate) fn room(&self, name: &str) -> Result<&Room, Refusal> {
        self.membership(name).map(Membership::room)
    }

    /// The place in the room of that name.
    pub(crate) fn membership(&self, name: &str) -> Result<&Membership, Refusal> {
        let mut memberships = self.memberships.iter();
        memberships
            .find(|membership| membership.room().name() == name)
            .ok_or_else(|| Refusal::new(ErrorCode::NotMember, format!("join {name:?} first")))
    }

    /// All rooms that the connection is in.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Room> {
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

    /// Leaves all rooms, in line with their other operations.
    pub(crate) async fn leave_all(&mut self) {
        while let Some(membership) = self.memberships.pop() {
            membership.leave().await;
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let reason = match self.connection.outbox.ended() {
            Some(Ended::ByServer(reason)) => reason.label(),
            Some(Ended::ByClient) => "client",
            // By a panic, or with the server.
            None => "cut_off",
        };
        let (session, user) = (self.session(), self.connection.user());
        tracing::debug!(session, user, reason, "connection closed");
        // Rooms that still know the connection see that it takes nothing any more.
        self.connection.outbox.abandon();
    }
}
