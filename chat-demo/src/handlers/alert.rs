//! 0x04: an admin's announcement, to every connection.

use super::{Answer, parse};
use crate::context::Context;
use crate::error::Refusal;
use crate::frame::Kind;
use crate::payload::{Alert, ErrorCode};
use crate::wire;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let alert: Alert = parse(payload)?;
        if !context
            .connection
            .identity
            .get()
            .is_some_and(|identity| identity.admin)
        {
            return Err(Refusal::new(ErrorCode::Forbidden, "only admins alert"));
        }
        let (hub, frame) = (context.node.hub.clone(), wire::message(Kind::ALERT, &alert));
        // A task of its own: it takes as long as there are connections.
        context
            .node
            .pools
            .fanout
            .slot_async()
            .await?
            .submit(move || {
                hub.broadcast(&frame);
            });
        Ok(())
    })
}
