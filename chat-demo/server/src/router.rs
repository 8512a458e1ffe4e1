//! The type byte picks the handler.

use chat_demo_client::frame::{Frame, Kind};
use chat_demo_client::payload::ErrorCode;

use crate::context::Context;
use crate::error::Refusal;
use crate::handlers::{self, Answer, Handler};

/// A handler for each type that has one.
pub(crate) struct Router([Option<Handler>; 256]);

impl Router {
    /// All handlers; those that help to test a server only where `debug` is set.
    pub(crate) fn new(debug: bool) -> Self {
        let mut table = [None; 256];
        let debug = if debug { handlers::DEBUG } else { &[] };
        for (kind, handler) in handlers::ALL.iter().chain(debug) {
            table[usize::from(kind.0)] = Some(*handler);
        }
        Self(table)
    }

    /// Hands a frame to its handler; the connection outlives a refusal.
    pub(crate) fn dispatch<'a>(
        &self,
        context: &'a mut Context,
        frame: Frame<'a>,
    ) -> Result<Answer<'a>, Refusal> {
        if frame.kind != Kind::HELLO && !context.is_authenticated() {
            return Err(Refusal::new(ErrorCode::NotAuthenticated, "say hello first"));
        }
        let unknown = || {
            Refusal::new(
                ErrorCode::UnknownType,
                format!("type {} means nothing here", frame.kind),
            )
        };
        let handler = self.0[usize::from(frame.kind.0)].ok_or_else(unknown)?;
        if !matches!(frame.kind, Kind::HELLO | Kind::HEARTBEAT) {
            context.activate();
        }
        Ok(handler(context, frame.payload))
    }
}
