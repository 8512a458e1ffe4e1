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
    Hash,
    PartialOrd,
    Ord,
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
    /// The payload is not what its type asks for.
    BadPayload = 3,
    /// A [`Hello`] has to come first.
    NotAuthenticated = 4,
    /// This user may not.
    Forbidden = 5,
    /// A [`Join`] has to come first.
    NotMember = 7,
    /// Too many in too short a time.
    RateLimited = 8,
    /// The server cannot take it now, and has not kept it.
    Overloaded = 9,
    /// The store did not answer: the text may have been kept. Repeat it with its [`Publish::key`].
    Uncertain = 10,
}

/// The states of a user.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum State {
    /// Reads and answers.
    Online = 0,
    /// Is connected, but not there.
    Away = 1,
    /// Is there, and wants no disturbance.
    Busy = 2,
}

/// The levels of an [`Alert`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum Level {
    /// Good to know.
    Info = 0,
    /// Something may fail.
    Warning = 1,
    /// Something has failed.
    Critical = 2,
}

/// What a [`Presence`] tells.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum PresenceEvent {
    /// The user's first connection is in the room.
    Joined = 0,
    /// The user's last connection is not any more.
    Left = 1,
}
