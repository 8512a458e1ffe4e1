//! What a worker chooses from.

/// A kind of work, by what it may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Futures that can go on: new ones, and those that were woken. They come first.
    Futures,
    /// Closures that have not begun, in the order of their entrances' priorities.
    Closures,
}

impl Lane {
    /// What comes first stands first.
    pub(crate) const ALL: [Self; 2] = [Self::Futures, Self::Closures];
}
