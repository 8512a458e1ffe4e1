//! What frames make the server do: a handler a file, registered here.

mod alert;
mod heartbeat;
mod hello;
mod history;
mod join;
mod leave;
mod members;
mod order;
mod panic;
mod publish;
mod user_state;

use std::future::Future;
use std::pin::Pin;

use anthill::SlotError;
use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{self, ErrorCode};

use crate::context::Context;
use crate::error::Refusal;

/// Obeys one frame, given its payload.
pub(crate) type Handler = for<'a> fn(&'a mut Context, &'a [u8]) -> Answer<'a>;
/// Ready when the frame was obeyed; the reply, if any, went to the outbox.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>>;

/// The handlers of every server.
pub(crate) const ALL: &[(Kind, Handler)] = &[
    (Kind::HEARTBEAT, heartbeat::handle),
    (Kind::ORDER_UPDATE, order::handle),
    (Kind::USER_STATE, user_state::handle),
    (Kind::ALERT, alert::handle),
    (Kind::HELLO, hello::handle),
    (Kind::JOIN, join::handle),
    (Kind::LEAVE, leave::handle),
    (Kind::PUBLISH, publish::handle),
    (Kind::HISTORY, history::handle),
    (Kind::MEMBERS, members::handle),
];

/// Those that harm a server on purpose.
pub(crate) const DEBUG: &[(Kind, Handler)] = &[(Kind::PANIC, panic::handle)];

fn check_room(name: &str) -> Result<(), Refusal> {
    if payload::is_name(name) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::BadPayload,
        "a room's name has 1 to 64 bytes, no control characters, and is not blank",
    ))
}

/// The pool for the rooms takes no more work.
impl From<SlotError> for Refusal {
    fn from(error: SlotError) -> Self {
        Self::new(ErrorCode::Overloaded, error.to_string())
    }
}
