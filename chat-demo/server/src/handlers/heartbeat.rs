//! 0x01: answered by its like. That it came has been noted already, as of any frame.

use std::future::ready;

use chat_demo_client::frame::Kind;

use super::Answer;
use crate::context::Context;

pub(super) fn handle<'a>(context: &'a mut Context, _: &'a [u8]) -> Answer<'a> {
    context
        .connection
        .tell_empty(Kind::HEARTBEAT, &context.node.tally);
    Box::pin(ready(Ok(())))
}
