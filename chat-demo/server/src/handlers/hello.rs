//! 0x10: the client says who it is, and is welcomed; later, that it has a fresh token.

use chat_demo_client::payload::{self, ErrorCode, Hello, Welcome};

use super::Answer;
use crate::clock;
use crate::connection::Identity;
use crate::context::Context;
use crate::error::{CloseReason, Refusal};
use crate::node::Node;
use crate::rate::Cost;
use crate::token::{GUEST, TokenError};

pub(super) fn handle<'a>(context: &'a mut Context, payload: &'a [u8]) -> Answer<'a> {
    Box::pin(async {
        let hello: Hello = context.read(payload)?;
        if context.is_authenticated() {
            // A fresh token costs a signature.
            context.pace(Cost::ONE).await;
        }
        let identity = identity(hello, &context.node)?;
        context.identify(identity).await?;

        let config = &context.node.config;
        let welcome = Welcome {
            session: context.session(),
            user: context.connection.user().to_owned(),
            node: config.node.clone(),
            heartbeat_ms: clock::millis(config.heartbeat),
            idle_ms: clock::millis(config.idle_timeout),
            max_payload: u32::try_from(config.max_payload).unwrap_or(u32::MAX),
        };
        context.reply(&welcome);
        context.connection.welcome();
        Ok(())
    })
}

/// Who says hello: the user whom a token names, or a guest. A client that brought a token is never taken for a guest, for
/// it would not know.
fn identity(hello: Hello, node: &Node) -> Result<Identity, Refusal> {
    let unauthenticated = |message| Refusal::new(ErrorCode::NotAuthenticated, message);
    match (hello.token, &node.tokens) {
        (Some(token), Some(key)) => Ok(key.verify(&token)?),
        (Some(_), None) => Err(unauthenticated(
            "this server knows no tokens: it has no --token-secret",
        )),
        (None, Some(_)) if !node.config.allow_guests => {
            Err(unauthenticated("a token is needed here"))
        }
        (None, _) => Ok(Identity {
            user: guest(hello.name.unwrap_or_default(), node)?.into(),
            admin: false,
            expires: None,
        }),
    }
}

/// A guest's name as others see it: not that of somebody with a token.
fn guest(name: String, node: &Node) -> Result<String, Refusal> {
    let is_invalid = !name.is_empty() && !payload::is_name(&name);
    let shown = if name.is_empty() {
        node.next_guest()
    } else if node.tokens.is_some() && !name.starts_with(GUEST) {
        format!("{GUEST}{name}")
    } else {
        name
    };
    if !is_invalid && payload::is_name(&shown) {
        return Ok(shown);
    }
    let message = format!(
        "a name has at most {} bytes, no control characters, and is not blank",
        payload::MAX_NAME
    );
    Err(Refusal::new(ErrorCode::BadPayload, message))
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(ErrorCode::NotAuthenticated, error.to_string()).closing(CloseReason::BadToken)
    }
}
