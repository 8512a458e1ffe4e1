//! 0x15: a text for the members of a room.

use super::{Answer, check_room};
use crate::context::Context;
use crate::error::Refusal;
use crate::payload::Publish;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let Publish { room, text, id } = context.read(payload)?;
        let refused = |refusal: Refusal| refusal.with_id(id.clone());
        check_room(&room).map_err(refused)?;
        let membership = context.membership(&room).map_err(refused)?;
        context.charge().map_err(refused)?;
        context.node.guard.hold_back().await;
        let publishing = membership.publish(context.connection.clone(), text, id.clone());
        publishing.await.map_err(refused)
    })
}
