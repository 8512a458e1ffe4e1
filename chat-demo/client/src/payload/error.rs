//! The answer to a frame that is refused.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Publish;
use super::codes::{ErrorCode, Named};

/// Why a frame was refused.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Error {
    /// The reason for programs.
    #[serde(with = "Named::<ErrorCode>")]
    #[prost(enumeration = "ErrorCode", tag = "1")]
    pub code: i32,
    /// The reason for people.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The id from [`Publish::id`], if the refused frame had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub id: Option<String>,
    /// The room that the client has not joined, or has left, because of this error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "4")]
    pub room: Option<String>,
}
