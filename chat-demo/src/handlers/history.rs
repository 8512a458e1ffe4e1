//! 0x1A: what was said in a room.

use super::{Answer, check_room};
use crate::context::Context;
use crate::payload::History;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let History {
            room,
            before,
            limit,
        } = context.read(payload)?;
        check_room(&room)?;
        let to = context.connection.clone();
        context
            .room(&room)?
            .look_back(to, before, limit as usize)
            .await
    })
}
