//! Orders to the writer, and their results.

use chat_demo_client::payload::{ErrorCode, Message};
use thiserror::Error;

use super::failure::DataError;
use super::store::{Draft, Store};
use crate::epoch::Epoch;
use crate::error::Refusal;

pub(super) enum Order {
    Append(Entry),
    /// Works on the file, after what was appended before.
    Work(Work),
    Close,
}

/// A message that waits for the next write.
pub(super) struct Entry {
    pub(super) draft: Draft,
    pub(super) then: Then,
}

/// Told that a message has its number and is kept, or that it is not.
pub(super) type Then = Box<dyn FnOnce(Result<Numbered, JournalError>) + Send>;
pub(super) type Work = Box<dyn FnOnce(&Store) -> Result<(), DataError> + Send>;

/// A message that is kept.
pub(crate) enum Numbered {
    /// It has its number in an epoch, and is to be delivered.
    New(Message, Epoch),
    /// It was kept before, under this number.
    Before(u64),
}

/// Why a message has no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum JournalError {
    #[error("cannot write the data file; retry later")]
    NotKept,
    /// Writing failed in the middle.
    #[error("cannot write the data file: the text may have been kept; repeat it with its key")]
    Uncertain,
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let code = match error {
            JournalError::NotKept => ErrorCode::Overloaded,
            JournalError::Uncertain => ErrorCode::Uncertain,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Draft> for Numbered {
    fn from(draft: Draft) -> Self {
        if draft.is_repetition {
            Self::Before(draft.message.seq)
        } else {
            Self::New(draft.message, draft.epoch)
        }
    }
}
