//! The kinds of work that a worker chooses from.

/// A kind of work, by what the work may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Ready futures, new or woken. They run first.
    Futures,
    /// Closures that have not started, ordered by the priority of their entrances.
    Closures,
}

impl Lane {
    /// All lanes, the first to run first.
    pub const ALL: [Self; 2] = [Self::Futures, Self::Closures];
}
