//! 0x03: how a user is, to all rooms that the user is in.

use super::{Answer, parse};
use crate::context::Context;
use crate::frame::Kind;
use crate::payload::UserState;
use crate::wire;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let UserState { state, .. } = parse(payload)?;
        context.charge()?;
        let user = Some(context.connection.user().to_owned());
        let frame = wire::message(Kind::USER_STATE, &UserState { state, user });
        for room in context.rooms() {
            room.relay(frame.clone()).await?;
        }
        Ok(())
    })
}
