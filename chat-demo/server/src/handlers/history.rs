//! 0x1A: what was said in a room.

use chat_demo_client::payload::History;

use super::{Answer, check_room};
use crate::context::Context;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let History {
            room,
            before,
            limit,
        } = context.read(payload)?;
        check_room(&room)?;
        let (to, limit) = (context.connection.clone(), limit as usize);
        let (most, _) = to.outbox.page();
        let room = context.room(&room)?;
        context.pace(Cost::of_answer(limit.min(most))).await;
        room.look_back(to, before, limit).await
    })
}
