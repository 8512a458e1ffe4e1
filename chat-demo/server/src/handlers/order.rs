//! 0x02: an order's new status, to the members of a room.

use std::sync::Arc;

use chat_demo_client::payload::OrderUpdate;
use chat_demo_client::wire::Shared;

use super::{Answer, check_room};
use crate::context::Context;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let mut update: OrderUpdate = context.read(payload)?;
        // The members need not know which room is meant when none is named.
        let named = update.room.take();
        let room = named.unwrap_or_else(|| OrderUpdate::DEFAULT_ROOM.to_owned());
        check_room(&room)?;
        let to = context.room(&room)?;
        context.check_length([&update.order, &update.status])?;
        context.charge(Cost::of_message(payload.len()))?;
        update.room = Some(room);
        to.relay(Arc::new(Shared::new(update)), payload.len()).await
    })
}
