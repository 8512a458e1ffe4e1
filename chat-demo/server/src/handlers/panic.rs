//! 0x7F: shows what becomes of a handler that panics.

use super::Answer;
use crate::context::Context;

pub(super) fn handle<'a>(_: &'a mut Context, _: &'a [u8]) -> Answer<'a> {
    Box::pin(async { panic!("asked for by a client") })
}
