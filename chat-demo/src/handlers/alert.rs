//! 0x04: an admin's announcement, to every connection.

use super::Answer;
use crate::context::Context;
use crate::error::Refusal;
use crate::payload::{Alert, ErrorCode};
use crate::wire::Shared;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let alert: Alert = context.read(payload)?;
        if !context.is_admin() {
            return Err(Refusal::new(ErrorCode::Forbidden, "only admins alert"));
        }
        let (hub, alert) = (context.node.hub.clone(), Shared::new(alert));
        // A task of its own: it takes as long as there are connections.
        context
            .node
            .pools
            .fanout
            .slot_async()
            .await?
            .submit(move || {
                hub.broadcast(&alert);
            });
        Ok(())
    })
}
