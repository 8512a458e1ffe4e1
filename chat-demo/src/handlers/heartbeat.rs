//! 0x01: answered by its like. That it came has been noted already, as of any frame.

use std::future::ready;

use super::Answer;
use crate::context::Context;
use crate::frame::Kind;
use crate::wire;

pub(super) fn handle<'a>(context: &'a mut Context, _: &'a [u8]) -> Answer<'a> {
    let beat = wire::empty(Kind::HEARTBEAT, context.subprotocol());
    context.connection.outbox.push(beat);
    Box::pin(ready(Ok(())))
}
