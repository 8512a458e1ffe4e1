//! 0x12: membership in a room.

use chat_demo_client::payload::{ErrorCode, Join};

use super::{Answer, check_room};
use crate::context::Context;
use crate::epoch::{Epoch, Position};
use crate::error::Refusal;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let Join { room, after, epoch } = context.read(payload)?;
        check_room(&room)?;
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
            return Err(Refusal::new(
                ErrorCode::Forbidden,
                "leave a room first: this is the most at a time",
            ));
        }
        let hub = context.node.hub.clone();
        context.enter(hub.join(&room, connection, seen).await?);
        Ok(())
    })
}
