//! Priorities among closures.

/// The priority of a subpool's closures, set by
/// [`SubpoolBuilder::priority`](crate::SubpoolBuilder::priority). A pool's own closures are
/// `Normal`.
///
/// While closures of all three priorities wait, a worker repeatedly runs eight of high, four of
/// normal and one of low priority. No priority starves, and a priority without waiting closures
/// leaves its share to the others. Within a priority, closures start roughly in the order of
/// acceptance.
///
/// Futures have no priority: ready futures run before closures.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anthill::{Pool, Priority};
///
/// let pool = Pool::builder().build()?;
/// let thumbnails = pool.subpool().capacity(64).priority(Priority::Low).build()?;
/// thumbnails.submit(|| println!("runs when there is little else to do"))?;
/// # pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// One share in thirteen.
    Low,
    /// Four shares in thirteen.
    #[default]
    Normal,
    /// Eight shares in thirteen.
    High,
}

impl Priority {
    /// All priorities, highest first.
    pub(crate) const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    fn share(self) -> u8 {
        match self {
            Self::High => 8,
            Self::Normal => 4,
            Self::Low => 1,
        }
    }
}

/// The closures of each priority that a worker may still run in this round.
#[derive(Debug)]
pub(crate) struct Shares([u8; 3]);

impl Shares {
    pub(crate) fn new() -> Self {
        Self(Priority::ALL.map(Priority::share))
    }

    /// Calls `take` for each priority with shares left, until it returns a task. Starts a new round
    /// when all are used up.
    pub(crate) fn next<T>(&mut self, mut take: impl FnMut(Priority) -> Option<T>) -> Option<T> {
        for _ in 0..2 {
            for (left, priority) in self.0.iter_mut().zip(Priority::ALL) {
                if *left == 0 {
                    continue;
                }
                if let Some(task) = take(priority) {
                    *left -= 1;
                    return Some(task);
                }
            }
            // Each priority is out of shares or out of tasks.
            *self = Self::new();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many closures of each priority run, if `count` run while `waiting` wait.
    fn taken(waiting: [usize; 3], count: usize) -> [usize; 3] {
        let (mut left, mut shares) = (waiting, Shares::new());
        for _ in 0..count {
            shares.next(|priority| {
                let left = &mut left[2 - priority as usize];
                *left = left.checked_sub(1)?;
                Some(())
            });
        }
        std::array::from_fn(|index| waiting[index] - left[index])
    }

    #[test]
    fn priorities_run_by_their_shares() {
        assert_eq!(taken([100, 100, 100], 13), [8, 4, 1]);
        assert_eq!(taken([100, 100, 100], 26), [16, 8, 2]);
    }

    #[test]
    fn priority_without_work_leaves_its_share() {
        assert_eq!(taken([0, 100, 100], 10), [0, 8, 2]);
        assert_eq!(taken([0, 0, 5], 10), [0, 0, 5]);
        assert_eq!(taken([3, 0, 5], 7), [3, 0, 4]);
    }
}
