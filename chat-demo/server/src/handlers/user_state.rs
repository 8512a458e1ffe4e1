//! 0x03: how a user is, to all rooms that the user is in.

use std::sync::Arc;

use chat_demo_client::payload::UserState;
use chat_demo_client::wire::Shared;

use super::Answer;
use crate::context::Context;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let UserState { state, .. } = context.read(payload)?;
        context.charge(Cost::of_many(context.rooms().count()))?;
        let user = Some(context.connection.user().to_owned());
        let update = Arc::new(Shared::new(UserState { state, user }));
        for room in context.rooms() {
            room.relay(update.clone(), payload.len()).await?;
        }
        Ok(())
    })
}
