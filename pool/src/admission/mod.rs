//! The bound on tasks.

mod slots;

pub(crate) use slots::{Joined, NoSlot, Released, Slots};
