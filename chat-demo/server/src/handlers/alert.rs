//! 0x04: an admin's announcement, to every connection.

use chat_demo_client::payload::{Alert, ErrorCode};

use super::Answer;
use crate::context::Context;
use crate::error::Refusal;
use crate::rate::Cost;

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let alert: Alert = context.read(payload)?;
        if !context.is_admin() {
            return Err(Refusal::new(ErrorCode::Forbidden, "only admins alert"));
        }
        context.check_length([&alert.text])?;
        context.charge(Cost::of_message(alert.text.len()))?;
        context.node.hub.alert(alert).await
    })
}
