//! 0x1B: who is in a room.

use super::{Answer, check_room};
use crate::context::Context;
use crate::payload::Members;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let Members { room, .. } = context.read(payload)?;
        check_room(&room)?;
        context.room(&room)?.list(context.connection.clone()).await
    })
}
