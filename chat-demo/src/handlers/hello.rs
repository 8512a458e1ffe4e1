//! 0x10: the client says who it is, and is welcomed.

use super::Answer;
use crate::clock;
use crate::connection::Identity;
use crate::context::Context;
use crate::error::Refusal;
use crate::payload::{self, ErrorCode, Hello, Welcome};

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let hello: Hello = context.read(payload)?;
        let user = match hello.name {
            Some(name) if name.is_empty() => context.node.next_guest(),
            None => context.node.next_guest(),
            Some(name) if payload::is_name(&name) => name,
            Some(_) => {
                let message = "a name has at most 64 bytes and no control characters";
                return Err(Refusal::new(ErrorCode::BadPayload, message));
            }
        };
        context.identify(Identity {
            user: user.as_str().into(),
            admin: false,
        })?;

        let config = &context.node.config;
        let welcome = Welcome {
            session: context.session(),
            user,
            node: config.node.clone(),
            heartbeat_ms: clock::millis(config.heartbeat),
            idle_ms: clock::millis(config.idle_timeout),
            max_payload: u32::try_from(config.max_payload).unwrap_or(u32::MAX),
        };
        context.reply(&welcome);
        Ok(())
    })
}
