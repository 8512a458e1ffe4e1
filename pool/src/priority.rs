//! What runs first among closures.

/// The priority of a subpool's closures, set by [`SubpoolBuilder::priority`](crate::SubpoolBuilder::priority). A pool's
/// own entrance is `Normal`.
///
/// While closures of all three priorities wait, a worker runs eight of high, four of normal and one of low priority in
/// turn, so none starves. A priority without waiting closures leaves its share to the others. Within a priority, closures
/// start in the order in which they were accepted, roughly.
///
/// Futures have no priority: those that can go on come before all closures.
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
    /// One part in thirteen.
    Low,
    /// Four parts in thirteen.
    #[default]
    Normal,
    /// Eight parts in thirteen.
    High,
}

impl Priority {
    /// The highest first.
    pub(crate) const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    fn share(self) -> u8 {
        match self {
            Self::High => 8,
            Self::Normal => 4,
            Self::Low => 1,
        }
    }
}

/// How many closures of each priority one worker may still run in this turn.
#[derive(Debug)]
pub(crate) struct Turn([u8; 3]);

impl Turn {
    pub(crate) fn new() -> Self {
        Self(Priority::ALL.map(Priority::share))
    }

    /// The closure that is next by the shares, where `take` takes one of a priority. A turn that is over begins anew.
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
            // Nothing waits at a priority that has a share left.
            *self = Self::new();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `count` closures where so many of each priority wait.
    fn taken(waiting: [usize; 3], count: usize) -> [usize; 3] {
        let (mut left, mut turn) = (waiting, Turn::new());
        for _ in 0..count {
            turn.next(|priority| {
                let left = &mut left[2 - priority as usize];
                *left = left.checked_sub(1)?;
                Some(())
            });
        }
        std::array::from_fn(|index| waiting[index] - left[index])
    }

    #[test]
    fn each_priority_has_its_share() {
        assert_eq!(taken([100, 100, 100], 13), [8, 4, 1]);
        assert_eq!(taken([100, 100, 100], 26), [16, 8, 2]);
    }

    #[test]
    fn a_priority_without_work_leaves_its_share() {
        assert_eq!(taken([0, 100, 100], 10), [0, 8, 2]);
        assert_eq!(taken([0, 0, 5], 10), [0, 0, 5]);
        assert_eq!(taken([3, 0, 5], 7), [3, 0, 4]);
    }
}
