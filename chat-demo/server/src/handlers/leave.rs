//! 0x14: membership given up.

use chat_demo_client::payload::Leave;

use super::{Answer, check_room};
use crate::context::Context;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let Leave { room } = context.read(payload)?;
        check_room(&room)?;
        context.pace(Cost::ONE).await;
        // The others are told: it waits for them like a message.
        context.room(&room)?.readers().await;
        if let Some(membership) = context.exit(&room) {
            membership.leave().await;
        }
        Ok(())
    })
}
