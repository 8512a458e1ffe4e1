//! The subprotocols (`Sec-WebSocket-Protocol`): how payloads are encoded.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::frame::Kind;
use crate::payload::{Payload, Search};

/// The most bytes that one byte of text takes in JSON: `\u0001`.
const ESCAPED: usize = 6;

/// The subprotocol of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Subprotocol {
    /// Binary frames with JSON payloads.
    #[default]
    Json,
    /// Binary frames with Protobuf payloads.
    Protobuf,
    /// Text messages, each a JSON object with its kind as `type`, for consoles.
    Text,
}

impl Subprotocol {
    /// All subprotocols, the default first.
    pub const ALL: [Self; 3] = [Self::Json, Self::Protobuf, Self::Text];

    /// Returns the name in `Sec-WebSocket-Protocol`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "chat.json.v1",
            Self::Protobuf => "chat.protobuf.v1",
            Self::Text => "chat.text",
        }
    }

    /// Reads a payload.
    pub fn read<P: Payload>(self, bytes: &[u8]) -> Result<P, PayloadError> {
        let payload: P = self.decode(bytes)?;
        payload.check().map_err(PayloadError::Meaning)?;
        Ok(payload)
    }

    /// Reads a search of a client. Refuses `messages` before it decodes them: an empty message has
    /// two bytes, and takes 88 in memory.
    pub fn read_search(self, bytes: &[u8]) -> Result<Search, PayloadError> {
        #[derive(Deserialize, prost::Message)]
        struct Answer {
            #[serde(default)]
            #[prost(message, repeated, tag = "5")]
            messages: Vec<Content>,
        }
        /// The content of a message, which is ignored and takes no memory.
        #[derive(Deserialize, prost::Message)]
        struct Content {}
        let Answer { messages } = self.decode(bytes)?;
        if !messages.is_empty() {
            return Err(PayloadError::Meaning("a request has no messages"));
        }
        self.read(bytes)
    }

    fn decode<P: prost::Message + Default + DeserializeOwned>(
        self,
        bytes: &[u8],
    ) -> Result<P, PayloadError> {
        Ok(match self {
            Self::Json | Self::Text => serde_json::from_slice(bytes)?,
            Self::Protobuf => P::decode(bytes)?,
        })
    }

    /// Appends a payload.
    ///
    /// # Panics
    ///
    /// If a field holds a number that its enumeration lacks.
    pub fn write<P: Payload>(self, payload: &P, bytes: &mut Vec<u8>) {
        let written = match self {
            Self::Json => serde_json::to_writer(bytes, payload),
            Self::Protobuf => {
                payload.encode(bytes).expect("a Vec takes all");
                Ok(())
            }
            Self::Text => serde_json::to_writer(bytes, &Text::new(P::KIND, Some(payload))),
        };
        written.expect("payloads are plain data and a Vec takes all");
    }

    /// Appends the encoding of a kind without a payload.
    ///
    /// # Panics
    ///
    /// If the kind has no name.
    pub fn write_empty(self, kind: Kind, bytes: &mut Vec<u8>) {
        if self == Self::Text {
            serde_json::to_writer(bytes, &Text::<()>::new(kind, None))
                .expect("a name is plain data and a Vec takes all");
        }
    }

    /// Reads the client's id from a payload, even if the rest cannot be read.
    #[must_use]
    pub fn read_id(self, kind: Kind, payload: &[u8]) -> Option<String> {
        /// The field of [`crate::payload::Publish`], the only payload with an id.
        #[derive(Deserialize, prost::Message)]
        struct Identified {
            #[serde(default)]
            #[prost(string, optional, tag = "3")]
            id: Option<String>,
        }
        if kind != Kind::PUBLISH {
            return None;
        }
        if self != Self::Protobuf {
            let identified: Identified = serde_json::from_slice(payload).ok()?;
            return identified.id;
        }
        let mut identified = Identified::default();
        // Fields that were read before an error are kept.
        let _ = prost::Message::merge(&mut identified, payload);
        identified.id
    }
}

/// A message of [`Subprotocol::Text`].
#[derive(Serialize)]
struct Text<'a, P> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    payload: Option<&'a P>,
}

impl<'a, P> Text<'a, P> {
    fn new(kind: Kind, payload: Option<&'a P>) -> Self {
        let kind = kind.name().expect("what is said has a name");
        Self { kind, payload }
    }
}

/// Returns whether texts have at most `limit` bytes in total in every encoding. JSON is the
/// longest: a control character takes six bytes.
#[must_use]
pub fn fit<const N: usize>(texts: [&str; N], limit: usize) -> bool {
    let plain: usize = texts.iter().map(|text| text.len()).sum();
    // The common case needs no counting.
    if plain.saturating_mul(ESCAPED) <= limit {
        return true;
    }
    let json = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |json| json.len());
    plain <= limit && texts.map(json).iter().sum::<usize>() <= limit + 2 * N
}

/// Replaces a text that is too long for the clients of this server. A server with a higher limit
/// may have stored it.
pub fn shorten(text: &mut String, limit: usize) {
    if !fit([text.as_str()], limit) {
        "(a text that is too long for this server)".clone_into(text);
    }
}

/// Returns the kind of a text message and its payload. The payload is the whole message, because
/// additional fields are ignored.
pub fn read_text(message: &str) -> Result<Kind, PayloadError> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    let Typed { kind } = serde_json::from_str(message)?;
    Kind::named(&kind).ok_or_else(|| PayloadError::Kind(kind.into_owned()))
}

/// Why a payload cannot be read.
#[derive(Debug, Error)]
pub enum PayloadError {
    /// The payload is not JSON, or a field is missing.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The payload is not Protobuf.
    #[error(transparent)]
    Protobuf(#[from] prost::DecodeError),
    /// A field has an invalid value.
    #[error("{0}")]
    Meaning(&'static str),
    /// The `type` of a text message is unknown.
    #[error("unknown type {0:?}")]
    Kind(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Message;
    use crate::wire;

    #[test]
    fn an_id_is_read_from_an_invalid_publish() {
        let read =
            |subprotocol: Subprotocol, payload: &[u8]| subprotocol.read_id(Kind::PUBLISH, payload);
        let (text, id) = ([0x12, 2, 0xFF, 0xFF], [0x1A, 1, b'7']);
        let not_utf8 = [&text[..], &id].concat();
        assert_eq!(read(Subprotocol::Protobuf, &not_utf8).as_deref(), Some("7"));
        let cut = [&id[..], &text[..2]].concat();
        assert_eq!(read(Subprotocol::Protobuf, &cut).as_deref(), Some("7"));
        assert_eq!(read(Subprotocol::Protobuf, &text), None);
        for subprotocol in [Subprotocol::Json, Subprotocol::Text] {
            let strange = br#"{"type":"publish","text":[],"id":"7"}"#;
            assert_eq!(read(subprotocol, strange).as_deref(), Some("7"));
            assert_eq!(read(subprotocol, br#"{"id":"7""#), None);
        }
        assert_eq!(
            Subprotocol::Json.read_id(Kind::JOIN, br#"{"id":"7"}"#),
            None
        );
    }

    #[test]
    fn a_search_request_with_messages_is_refused() {
        let mut search = Search {
            room: "tea".to_owned(),
            text: "milk".to_owned(),
            ..Search::default()
        };
        for subprotocol in Subprotocol::ALL {
            let read = |search: &Search| {
                let mut payload = Vec::new();
                subprotocol.write(search, &mut payload);
                subprotocol.read_search(&payload)
            };
            search.messages.clear();
            assert_eq!(read(&search).expect("a request"), search);
            search.messages.push(Message::default());
            let refused = read(&search).expect_err("an answer");
            assert_eq!(refused.to_string(), "a request has no messages");
        }
    }

    #[test]
    fn texts_are_counted_as_json_has_them() {
        assert!(fit(["", ""], 0));
        assert!(fit(["a\"\u{1}"], 9) && !fit(["a\"\u{1}"], 8));
        assert!(fit(["ab", "cd"], 4) && !fit(["ab", "cd"], 3));
        assert!(fit(["äö"], 4) && !fit(["äö"], 3));
    }

    #[test]
    fn text_of_a_server_with_other_limits_is_shortened() {
        let [mut short, mut long] = ["\u{1}".repeat(100), "\u{1}".repeat(101)];
        shorten(&mut short, 600);
        shorten(&mut long, 600);
        assert_eq!(short.len(), 100);
        assert!(long.starts_with("(a text"), "{long}");
    }

    #[test]
    fn largest_message_is_within_what_the_server_adds() {
        for text in ["\u{1}", "\"", "x", "ä"] {
            let text = text.repeat(6000 / (serde_json::to_string(text).expect("a text").len() - 2));
            let name = "\"".repeat(crate::payload::MAX_NAME);
            let message = Message {
                room: name.clone(),
                seq: u64::MAX,
                user: name,
                ts: u64::MAX,
                text,
            };
            assert!(fit([&message.text], 6000));
            for subprotocol in Subprotocol::ALL {
                let len = wire::message(&message, subprotocol).len();
                assert!(len <= 6000 + wire::ADDED, "{len} bytes in {subprotocol:?}");
            }
        }
    }
}
