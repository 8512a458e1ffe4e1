//! The handlers of frames. A type of frame is declared in `chat_demo_client::payload`; here it has
//! a function, and an arm of [`handle`].

use std::sync::Arc;

use anthill::SlotError;
use chat_demo_client::frame::{Frame, Kind};
use chat_demo_client::payload::{
    Alert, ErrorCode, Hello, History, Join, Leave, Members, OrderUpdate, Publish, Typing,
    UserState, Welcome,
};
use chat_demo_client::subprotocol::PayloadError;
use chat_demo_client::wire::Shared;
use futures_util::future::BoxFuture;

use crate::clock;
use crate::connection::Identity;
use crate::context::Context;
use crate::epoch::{Epoch, Position};
use crate::error::{CloseReason, Refusal};
use crate::node::Node;
use crate::rate::Cost;
use crate::rights::{Rooms, check_name};
use crate::room;
use crate::token::{GUEST, TokenError};

/// Ready when the frame was handled; the reply, if any, is in the outbox.
pub(crate) type Answer<'a> = BoxFuture<'a, Result<(), Refusal>>;

/// Begins to handle a frame. Returns what is left to be done; the connection outlives a refusal.
pub(crate) fn handle<'a>(
    context: &'a mut Context,
    Frame { kind, payload }: Frame<'a>,
) -> Result<Option<Answer<'a>>, Refusal> {
    if kind != Kind::HELLO && !context.is_authenticated() {
        let message = "send a hello first";
        return Err(Refusal::new(ErrorCode::NotAuthenticated, message));
    }
    if !matches!(kind, Kind::HELLO | Kind::HEARTBEAT) {
        context.activate();
    }
    // Each answer is boxed alone: it takes no more memory than its own handler needs.
    Ok(Some(match kind {
        Kind::HEARTBEAT => {
            context.connection.send_heartbeat(&context.node.tally);
            return Ok(None);
        }
        Kind::ORDER_UPDATE => Box::pin(order_update(context, payload)),
        Kind::USER_STATE => Box::pin(user_state(context, payload)),
        Kind::ALERT => Box::pin(alert(context, payload)),
        Kind::HELLO => Box::pin(hello(context, payload)),
        Kind::JOIN => Box::pin(join(context, payload)),
        Kind::LEAVE => Box::pin(leave(context, payload)),
        Kind::PUBLISH => Box::pin(publish(context, payload)),
        Kind::HISTORY => Box::pin(history(context, payload)),
        Kind::MEMBERS => Box::pin(members(context, payload)),
        Kind::SEARCH => Box::pin(search(context, payload)),
        Kind::TYPING => Box::pin(typing(context, payload)),
        Kind::PANIC if context.node.config.debug_commands => {
            Box::pin(async { panic!("asked for by a client") })
        }
        _ => {
            let message = format!("type {kind} means nothing here");
            return Err(Refusal::new(ErrorCode::UnknownType, message));
        }
    }))
}

/// Sends an order's new status to the members of a room.
async fn order_update(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let mut update: OrderUpdate = context.read(payload)?;
    // The members need not know which room is meant when none is named.
    let named = update.room.take();
    let room = named.unwrap_or_else(|| OrderUpdate::DEFAULT_ROOM.to_owned());
    let to = context.room(&room)?;
    context.node.check_length([&update.order, &update.status])?;
    context.charge(Cost::of_message(payload.len()))?;
    update.room = Some(room);
    to.relay(Arc::new(Shared::new(update)), payload.len()).await
}

/// Sends a user's state to all rooms that the user is in.
async fn user_state(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let UserState { state, .. } = context.read(payload)?;
    context.charge(Cost::of_many(context.rooms().count()))?;
    let user = Some(context.connection.user().to_owned());
    let update = Arc::new(Shared::new(UserState { state, user }));
    for room in context.rooms() {
        room.relay(update.clone(), payload.len()).await?;
    }
    Ok(())
}

/// Sends an admin's announcement to every connection.
async fn alert(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let alert: Alert = context.read(payload)?;
    if !context.admin {
        let message = "only admins may send alerts";
        return Err(Refusal::new(ErrorCode::Forbidden, message));
    }
    context.node.check_length([&alert.text])?;
    context.charge(Cost::of_message(alert.text.len()))?;
    context.node.hub.alert(alert).await
}

/// Handles a hello: welcomes the client, or replaces its token.
async fn hello(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let mut hello: Hello = context.read(payload)?;
    if context.is_authenticated() {
        // A fresh token costs a signature.
        context.pace(Cost::ONE).await;
    } else if hello.name.as_ref().is_none_or(String::is_empty) {
        // A guest keeps the name that the server chose for a hello that timed out.
        let known = context.connection.user.get();
        let guest = known.filter(|user| user.starts_with(GUEST));
        hello.name = guest.map(|user| user.as_ref().to_owned());
    }
    let identity = identity(hello, &context.node)?;
    context.identify(identity).await?;

    let config = &context.node.config;
    let welcome = Welcome {
        session: context.session(),
        user: context.connection.user().to_owned(),
        node: config.node.clone(),
        heartbeat_ms: clock::millis(config.heartbeat),
        idle_ms: clock::millis(config.idle_timeout),
        max_payload: u32::try_from(config.max_payload).unwrap_or(u32::MAX),
    };
    context.connection.send(&welcome, &context.node.tally);
    context.connection.welcome();
    Ok(())
}

/// Makes the client a member of a room.
async fn join(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let Join { room, after, epoch } = context.read(payload)?;
    context.check_right(&room)?;
    // A number proves nothing without its epoch.
    let epoch = epoch.as_deref().and_then(Epoch::parse);
    let seen = after.zip(epoch).map(|(seq, epoch)| Position { epoch, seq });
    let connection = context.connection.clone();
    // What was missed is a page.
    let (most, _) = connection.outbox.page();
    let missed = if after.is_some() { most } else { 0 };
    context.pace(Cost::of_answer(missed)).await;
    // To join twice is to ask how things stand.
    if let Ok(room) = context.room(&room) {
        return room.greet(connection, seen).await;
    }
    if context.rooms().count() >= context.node.config.max_rooms {
        let message = "too many rooms; leave one first";
        return Err(Refusal::new(ErrorCode::Forbidden, message));
    }
    let hub = context.node.hub.clone();
    context.enter(hub.join(&room, connection, seen).await?);
    Ok(())
}

/// Gives membership up.
async fn leave(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let Leave { room } = context.read(payload)?;
    context.pace(Cost::ONE).await;
    // Broadcast to the members, with back-pressure like a message.
    context.room(&room)?.readers().await;
    if let Some(membership) = context.exit(&room) {
        membership.leave().await;
    }
    Ok(())
}

/// Sends a text to the members of a room.
async fn publish(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let publish: Publish = context.read(payload)?;
    let id = publish.id.clone();
    let refused = |refusal: Refusal| refusal.with_id(id.clone());
    let membership = context.membership(&publish.room).map_err(refused)?;
    let checked = context.node.check_length([&publish.text]);
    checked.map_err(refused)?;
    let cost = Cost::of_message(publish.text.len());
    context.charge(cost).map_err(refused)?;
    context.node.guard.hold_back().await;
    let publishing = membership.publish(context.connection.clone(), publish);
    publishing.await.map_err(refused)
}

/// Sends again what was said in a room.
async fn history(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let asked: History = context.read(payload)?;
    let (to, limit) = (context.connection.clone(), asked.limit as usize);
    let (most, _) = to.outbox.page();
    let room = context.room(&asked.room)?;
    context.pace(Cost::of_answer(limit.min(most))).await;
    room.look_back(to, asked.before, limit).await
}

/// Lists the users in a room.
async fn members(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let Members { room, .. } = context.read(payload)?;
    let room = context.room(&room)?;
    context.pace(Cost::of_answer(room::MAX_LISTED)).await;
    room.list(context.connection.clone()).await
}

/// Searches in a room's history. Returns when the search is in the pool, without waiting for its
/// result.
async fn search(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let search = context.subprotocol().read_search(payload)?;
    context.room(&search.room)?;
    let (most, _) = context.connection.outbox.page();
    context.pace(Cost::of_answer(most)).await;
    context.search(search)
}

/// Sends a typing notice to the other members of a room.
async fn typing(context: &mut Context, payload: &[u8]) -> Result<(), Refusal> {
    let Typing { room, .. } = context.read(payload)?;
    context.room(&room)?;
    context.charge(Cost::ONE)?;
    if let Some(room) = context.begin_typing(&room) {
        room.send_typing(context.connection.user()).await;
    }
    Ok(())
}

/// Identifies a client by its hello: the user of its token, or a guest. A client with a token never
/// becomes a guest, because it would not notice.
pub(crate) fn identity(hello: Hello, node: &Node) -> Result<Identity, Refusal> {
    let unauthenticated = |message| Refusal::new(ErrorCode::NotAuthenticated, message);
    match (hello.token, &node.tokens) {
        (Some(token), Some(key)) => Ok(key.verify(&token)?),
        (Some(_), None) => Err(unauthenticated(
            "this server knows no tokens: it has no --token-secret",
        )),
        (None, Some(_)) if !node.config.allow_guests => {
            Err(unauthenticated("a token is needed here"))
        }
        (None, _) => Ok(Identity {
            user: guest(hello.name.unwrap_or_default(), node)?.into(),
            admin: false,
            rooms: Rooms::default(),
            expires: None,
        }),
    }
}

/// Returns a guest's public name, distinct from users with tokens.
fn guest(name: String, node: &Node) -> Result<String, Refusal> {
    if name.is_empty() {
        return Ok(node.next_guest());
    }
    check_name(&name)?;
    if node.tokens.is_none() || name.starts_with(GUEST) {
        return Ok(name);
    }
    let shown = format!("{GUEST}{name}");
    check_name(&shown)?;
    Ok(shown)
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(ErrorCode::NotAuthenticated, error.to_string()).closing(CloseReason::BadToken)
    }
}

impl From<PayloadError> for Refusal {
    fn from(error: PayloadError) -> Self {
        Self::new(ErrorCode::BadPayload, error.to_string())
    }
}

/// The pool for the rooms takes no more work.
impl From<SlotError> for Refusal {
    fn from(error: SlotError) -> Self {
        Self::new(ErrorCode::Overloaded, error.to_string())
    }
}
