//! 0x1B: who is in a room.

use chat_demo_client::payload::Members;

use super::{Answer, check_room};
use crate::context::Context;
use crate::rate::Cost;
use crate::room;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let Members { room, .. } = context.read(payload)?;
        check_room(&room)?;
        let room = context.room(&room)?;
        context.pace(Cost::of_answer(room::MAX_LISTED)).await;
        room.list(context.connection.clone()).await
    })
}
