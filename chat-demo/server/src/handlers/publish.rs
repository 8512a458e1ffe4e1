//! 0x15: a text for the members of a room.

use chat_demo_client::payload::Publish;

use super::{Answer, check_room};
use crate::context::Context;
use crate::error::Refusal;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let publish: Publish = context.read(payload)?;
        let id = publish.id.clone();
        let refused = |refusal: Refusal| refusal.with_id(id.clone());
        check_room(&publish.room).map_err(refused)?;
        let membership = context.membership(&publish.room).map_err(refused)?;
        context.check_length([&publish.text]).map_err(refused)?;
        let cost = Cost::of_message(publish.text.len());
        context.charge(cost).map_err(refused)?;
        context.node.guard.hold_back().await;
        let publishing = membership.publish(context.connection.clone(), publish);
        publishing.await.map_err(refused)
    })
}
