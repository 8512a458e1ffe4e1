//! The bound on tasks.

mod slots;

pub(crate) use slots::{Joined, MOST_SLOTS, NoSlot, Released, Slots};
