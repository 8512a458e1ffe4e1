//! Enumerations: numbers in Protobuf, names in JSON.

use std::marker::PhantomData;

use prost::Enumeration;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{IntoStaticStr, VariantArray};

#[cfg(doc)]
use super::{Alert, Error, Hello, Join, Presence, Publish};

/// An enumeration that Protobuf writes as a number and JSON as a name.
pub(super) struct Named<E>(PhantomData<E>);

impl<E: TryFrom<i32> + Into<i32>> Named<E> {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(super) fn serialize<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error>
    where
        E: Serialize,
    {
        let known = E::try_from(*number).map_err(|_| S::Error::custom("no such name"))?;
        known.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error>
    where
        E: Deserialize<'de>,
    {
        E::deserialize(deserializer).map(Into::into)
    }
}

/// The reasons of an [`Error`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Enumeration,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[repr(i32)]
pub enum ErrorCode {
    /// Magic, length or checksum is wrong; the connection is closed.
    BadFrame = 0,
    /// The payload is over the limit; the connection is closed.
    TooLarge = 1,
    /// The frame type is unknown.
    UnknownType = 2,
    /// The payload does not match its type.
    BadPayload = 3,
    /// A [`Hello`] must come first.
    NotAuthenticated = 4,
    /// The user lacks the right.
    Forbidden = 5,
    /// A [`Join`] must come first.
    NotMember = 7,
    /// The rate limit is exceeded.
    RateLimited = 8,
    /// The server cannot handle the request now, and has not kept it.
    Overloaded = 9,
    /// The store did not answer: the text may have been kept. Repeat it with its [`Publish::key`].
    Uncertain = 10,
}

/// The states of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum State {
    /// The user reads and answers.
    Online = 0,
    /// The user is connected, but not present.
    Away = 1,
    /// The user does not want to be disturbed.
    Busy = 2,
}

/// The levels of an [`Alert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum Level {
    /// For information.
    Info = 0,
    /// Something may fail.
    Warning = 1,
    /// Something has failed.
    Critical = 2,
}

/// The event of a [`Presence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum PresenceEvent {
    /// The user's first connection joined the room.
    Joined = 0,
    /// The user's last connection left the room.
    Left = 1,
}
