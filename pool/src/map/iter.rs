//! A parallel map over an iterator.

use std::fmt;
use std::iter::{Fuse, FusedIterator};

use crate::map::chunks::Chunks;
use crate::pool::Pool;
use crate::submit::Slot;

impl Pool {
    /// Returns an iterator over the results of `f` for each item, computed in the pool, in order.
    ///
    /// The map is lazy: it takes items as results are consumed, within a [window](Map::window).
    /// Items that take less than some hundred microseconds are grouped, because a task for each
    /// would cost more than the item. Each group takes a slot.
    ///
    /// If no slot is free for the first group, `next` blocks until one is. If it must not block or
    /// the pool is closed, the calling thread computes the items. The source may use the same pool:
    /// it can be another map.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let lengths = pool.map(["a", "bc", "def"], str::len);
    /// assert_eq!(lengths.collect::<Vec<_>>(), [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Items and results own their data. For borrowed data use [`scope`](Self::scope).
    ///
    /// A source that blocks, such as the receiver of a channel, delays the results before it. With
    /// a [window](Map::window) of 1, `next` asks the source for one item at a time. A map of a pool
    /// inside a task of its subpool blocks the worker, see
    /// [`JoinHandle`](crate::JoinHandle#waiting-inside-a-task).
    ///
    /// # Panics
    ///
    /// `next` resumes the panic of an item where its result would be; later items can still be
    /// taken. It panics if the pool [discards](Self::discard) items.
    ///
    /// With the feature `tokio`, `next` panics if it has to block and the calling thread drives
    /// async tasks of tokio. Use `map_stream` there (feature `stream`).
    pub fn map<I, F, T>(&self, items: I, f: F) -> Map<'_, I::IntoIter, F, T>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        Map {
            pool: self,
            items: items.into_iter().fuse(),
            gathered: Vec::new(),
            chunks: Chunks::new(self, f),
        }
    }
}

/// An iterator over results that a pool computes, from [`Pool::map`].
///
/// Dropping it cancels the items that have not begun.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let first_large = pool.map(0_u64.., |n| n * n).find(|square| *square > 1000);
/// assert_eq!(first_large, Some(1024));
/// # Ok(())
/// # }
/// ```
#[must_use = "a map is lazy: iterate over it"]
pub struct Map<'a, I: Iterator, F, T> {
    pool: &'a Pool,
    items: Fuse<I>,
    /// Taken from the source, and waiting for a slot. The source may use the same pool, so it must
    /// not be called with a slot reserved.
    gathered: Vec<I::Item>,
    chunks: Chunks<F, T>,
}

impl<I: Iterator, F, T> Map<'_, I, F, T> {
    /// Returns results as they are computed, in any order. Items that the map took before come
    /// first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let sum: u64 = pool.map(0..100_u64, |n| n * n).unordered().sum();
    /// assert_eq!(sum, 328_350);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unordered(mut self) -> Self {
        self.chunks.wait_for_any();
        self
    }

    /// Sets how many items the map takes ahead of the results that it has returned, at least 1. This
    /// bounds its memory. Default: four groups of items for each thread of the pool. A group has one
    /// item if an item takes a millisecond, and at most 256 items if they are short.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let images = (0..100).map(|_| vec![0_u8; 1 << 16]); // at most eight at a time
    /// let sizes = pool.map(images, |image| image.len()).window(8);
    /// assert_eq!(sizes.sum::<usize>(), 100 << 16);
    /// # Ok(())
    /// # }
    /// ```
    pub fn window(mut self, items: usize) -> Self {
        self.chunks.window = Some(items.max(1));
        self
    }

    /// Returns the number of items that were taken and not returned.
    fn taken(&self) -> usize {
        self.gathered.len() + self.chunks.len()
    }
}

impl<I: Iterator, F, T, E> Map<'_, I, F, Result<T, E>> {
    /// Ends the map after the first error that it returns, and cancels the items after it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let parsed = pool.map(["1", "2", "x", "4"], str::parse::<i32>).stop_at_error();
    /// let parsed: Vec<_> = parsed.collect();
    /// assert_eq!((parsed.len(), parsed[2].is_err()), (3, true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_at_error(mut self) -> Self {
        self.chunks.is_error = Some(Result::is_err);
        self
    }
}

impl<I, F, T> Map<'_, I, F, T>
where
    I: Iterator<Item: Send + 'static>,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    /// Submits items until the window or the pool is full. Blocks for a slot only if no item of the
    /// map is in the pool.
    fn fill(&mut self) {
        loop {
            let room = self.chunks.room();
            if room == 0 {
                return;
            }
            let missing = room.saturating_sub(self.gathered.len());
            self.gathered.extend(self.items.by_ref().take(missing));
            if self.gathered.is_empty() {
                return;
            }
            let gate = self.pool.gate();
            let slot = match Slot::if_free(gate) {
                None if !self.chunks.has_no_task() => return,
                None => Slot::if_granted(gate),
                free => free,
            };
            let items = std::mem::take(&mut self.gathered);
            match slot {
                Some(slot) => self.chunks.submit(slot, items),
                // The caller must not block or the pool is closed.
                None => return self.chunks.run_here(items),
            }
        }
    }

    fn next_result(&mut self) -> Option<T> {
        loop {
            if let Some(result) = self.chunks.next_ready() {
                return Some(result);
            }
            self.fill();
            if !self.chunks.has_no_task() {
                self.chunks.wait();
            } else if self.chunks.len() == 0 {
                return None;
            }
        }
    }
}

impl<I, F, T> Iterator for Map<'_, I, F, T>
where
    I: Iterator<Item: Send + 'static>,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.chunks.is_over {
            return None;
        }
        let result = self.next_result();
        if self.chunks.end_after(result.as_ref()) {
            self.gathered.clear();
        }
        result
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks
            .size_hint(self.gathered.len(), self.items.size_hint())
    }
}

impl<I, F, T> FusedIterator for Map<'_, I, F, T>
where
    I: Iterator<Item: Send + 'static>,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
}

impl<I: Iterator, F, T> fmt::Debug for Map<'_, I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("taken", &self.taken())
            .field("ended", &self.chunks.is_over)
            .finish_non_exhaustive()
    }
}
