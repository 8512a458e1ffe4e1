//! Messages of a log, encoded for one connection. A connection that has ended costs nothing.

use bytes::Bytes;
use chat_demo_client::payload::Message;
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;

use crate::outbox::Outbox;

/// How many bytes of messages are encoded in line with the room's operations: those said since the
/// rest was prepared.
const IN_LINE: usize = 32 * 1024;

/// Messages of the log, each with its bytes for one subprotocol.
#[derive(Default)]
pub(super) struct Prepared(pub(super) Vec<(Bytes, Bytes)>);

impl Prepared {
    /// Completes what was missed with what was said since it was prepared; nothing if that is too
    /// much, or if all of it exceeds an outbox.
    pub(super) fn complete(&self, missed: Vec<Bytes>, outbox: &Outbox) -> Option<Vec<Bytes>> {
        if outbox.subprotocol() == Subprotocol::Json {
            return Some(missed);
        }
        let mut budget = IN_LINE;
        let mut complete = Vec::with_capacity(missed.len());
        for (index, kept) in missed.iter().enumerate() {
            let prepared = self.0.get(index);
            // The same memory, so the same message: what was prepared is alive.
            let prepared = prepared.filter(|(json, _)| json.as_ptr() == kept.as_ptr());
            complete.push(if let Some((_, frame)) = prepared {
                frame.clone()
            } else {
                budget = budget.checked_sub(kept.len())?;
                translated(kept, outbox)
            });
        }
        Some(complete)
    }
}

/// Messages of the log, encoded for an outbox until it ends.
pub(super) fn translated_for(kept: &[Bytes], outbox: &Outbox) -> Vec<Bytes> {
    let wanted = kept.iter().take_while(|_| !outbox.is_sealed());
    wanted.map(|frame| translated(frame, outbox)).collect()
}

fn translated(kept: &Bytes, outbox: &Outbox) -> Bytes {
    wire::translated::<Message>(kept, outbox.subprotocol())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outbox::Limits;

    fn outbox(subprotocol: Subprotocol) -> Outbox {
        let limits = Limits {
            frames: 8,
            bytes: 1 << 20,
            patience: Duration::ZERO,
        };
        Outbox::new(limits, subprotocol)
    }

    fn kept(text: &str) -> Bytes {
        let message = Message {
            text: text.to_owned(),
            ..Message::default()
        };
        wire::message(&message, Subprotocol::Json)
    }

    #[test]
    fn ended_connection_is_encoded_nothing() {
        let outbox = outbox(Subprotocol::Protobuf);
        // No message: to read it is a panic.
        let unreadable = [Bytes::from_static(&[0; 64])];
        outbox.abandon();
        assert_eq!(translated_for(&unreadable, &outbox), Vec::<Bytes>::new());
    }

    #[test]
    fn prepared_messages_are_completed_within_a_budget() {
        let outbox = outbox(Subprotocol::Protobuf);
        let (first, second) = (kept("first"), kept("second"));
        let marked = Bytes::from_static(b"encoded before");
        let prepared = Prepared(vec![(first.clone(), marked.clone())]);
        let missed = vec![first.clone(), second.clone()];
        assert_eq!(
            prepared.complete(missed, &outbox),
            Some(vec![marked.clone(), translated(&second, &outbox)])
        );
        // Forgotten meanwhile: what was prepared is of another place.
        assert_eq!(
            prepared.complete(vec![second.clone()], &outbox),
            Some(vec![translated(&second, &outbox)])
        );
        let long = kept(&"x".repeat(IN_LINE));
        assert_eq!(prepared.complete(vec![first, long], &outbox), None);
    }
}
