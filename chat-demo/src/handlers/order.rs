//! 0x02: an order's new status, to the members of a room.

use super::{Answer, check_room, parse};
use crate::context::Context;
use crate::frame::Kind;
use crate::payload::OrderUpdate;
use crate::wire;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let update: OrderUpdate = parse(payload)?;
        check_room(&update.room)?;
        let room = context.room(&update.room)?;
        context.charge()?;
        room.relay(wire::message(Kind::ORDER_UPDATE, &update)).await
    })
}
