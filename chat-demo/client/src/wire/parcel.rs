//! Payloads of a kind that is known only at run time.

use std::sync::OnceLock;

use bytes::Bytes;

use super::{Delivery, message};
use crate::frame::Kind;
use crate::payload::{self, Payload, Visitor};
use crate::subprotocol::Subprotocol;

/// A payload of a kind that is known when the program runs, as another server announced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    kind: Kind,
    /// In Protobuf.
    payload: Bytes,
    encoded: [OnceLock<Bytes>; Subprotocol::ALL.len()],
}

impl Parcel {
    /// Packs a payload.
    pub fn new<P: Payload>(payload: &P) -> Self {
        let mut bytes = Vec::new();
        Subprotocol::Protobuf.write(payload, &mut bytes);
        Self {
            kind: P::KIND,
            payload: bytes.into(),
            encoded: Default::default(),
        }
    }

    /// Reads what [`bytes`](Self::bytes) returned; `None` if servers send no such kind to clients,
    /// or if it cannot be read.
    #[must_use]
    pub fn read(kind: Kind, payload: &[u8]) -> Option<Self> {
        let parcel = Self {
            kind,
            payload: Bytes::copy_from_slice(payload),
            encoded: Default::default(),
        };
        let encoded = payload::visit(kind, Encode(&parcel.payload, Subprotocol::Json))??;
        parcel.encoded[Subprotocol::Json as usize].get_or_init(|| encoded);
        Some(parcel)
    }

    /// The payload in Protobuf.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.payload
    }
}

impl Delivery for Parcel {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn encoded(&self, subprotocol: Subprotocol) -> &Bytes {
        self.encoded[subprotocol as usize].get_or_init(|| {
            let encoded = payload::visit(self.kind, Encode(&self.payload, subprotocol));
            encoded.flatten().expect("it was read, or made here")
        })
    }
}

/// Encodes a payload that is in Protobuf.
struct Encode<'a>(&'a [u8], Subprotocol);

impl Visitor for Encode<'_> {
    type Output = Option<Bytes>;

    fn visit<P: Payload>(self) -> Self::Output {
        let payload: P = Subprotocol::Protobuf.read(self.0).ok()?;
        Some(message(&payload, self.1))
    }
}
