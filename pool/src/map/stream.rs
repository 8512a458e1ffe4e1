//! A parallel map over a stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::engine::{Enter, Gate};
use crate::map::chunks::Chunks;
use crate::pool::Pool;
use crate::submit::Slot;

impl Pool {
    /// Returns a stream of the results of `f` for each item, computed by closures in the pool, in
    /// order. Needs the feature `stream`.
    ///
    /// The stream is lazy: it takes items as results are consumed, within a
    /// [window](MapStream::window). Short items are grouped. Each group awaits a slot. If the pool
    /// is closed or `max_waiting` submitters wait already, the polling thread computes the items.
    ///
    /// A stream that returned `Pending` may wait in the pool's line of submitters. Poll it further
    /// or drop it, because a slot that is granted to it is unused until then.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let squares = pool.map_stream(stream::iter(1..=3), |n| n * n);
    /// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// A poll resumes the panic of an item where its result would be. It panics if the pool
    /// [discards](Self::discard) items.
    pub fn map_stream<S, F, T>(&self, items: S, f: F) -> MapStream<'_, S, F, T>
    where
        S: Stream,
        S::Item: Send + 'static,
        F: Fn(S::Item) -> T + Send + Sync + 'static,
        T: Send + 'static,
    {
        MapStream {
            pool: self,
            items: Some(items),
            gathered: Vec::new(),
            enter: None,
            chunks: Chunks::new(self, f),
        }
    }
}

pin_project! {
    /// A stream of results that a pool computes, from [`Pool::map_stream`].
    ///
    /// Dropping it cancels the items that have not begun.
    #[must_use = "a stream is lazy: poll it"]
    pub struct MapStream<'a, S: Stream, F, T> {
        pool: &'a Pool,
        // `None` after its end.
        #[pin]
        items: Option<S>,
        // Taken from the stream, and waiting for a slot.
        gathered: Vec<S::Item>,
        // The place in the line for a slot. It counts no refusal, because the map continues without
        // a slot.
        enter: Option<Enter<'a>>,
        chunks: Chunks<F, T>,
    }
}

impl<S: Stream, F, T> MapStream<'_, S, F, T> {
    /// Returns results as they are computed, in any order.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let squares = pool.map_stream(stream::iter(1..=3), |n| n * n).unordered();
    /// assert_eq!(squares.fold(0, async |sum, square| sum + square).await, 14);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unordered(mut self) -> Self {
        self.chunks.unordered = true;
        self
    }

    /// Sets how many items the map takes ahead of the results that it has returned, at least 1. This
    /// bounds its memory. Default: four groups of items for each thread of the pool. A group has one
    /// item if an item takes a millisecond, and at most 256 items if they are short.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let images = stream::iter((0..100).map(|_| vec![0_u8; 1 << 16])); // at most eight at a time
    /// let sizes = pool.map_stream(images, |image| image.len()).window(8);
    /// assert_eq!(sizes.count().await, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn window(mut self, items: usize) -> Self {
        self.chunks.window = Some(items.max(1));
        self
    }
}

impl<S: Stream, F, T, E> MapStream<'_, S, F, Result<T, E>> {
    /// Ends the stream after the first error that it returns, and cancels the items after it.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let words = stream::iter(["1", "2", "x", "4"]);
    /// let parsed = pool.map_stream(words, str::parse::<i32>).stop_at_error();
    /// let parsed: Vec<_> = parsed.collect().await;
    /// assert_eq!((parsed.len(), parsed[2].is_err()), (3, true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_at_error(mut self) -> Self {
        self.chunks.is_error = Some(Result::is_err);
        self
    }
}

impl<'a, S, F, T> MapStream<'a, S, F, T>
where
    S: Stream<Item: Send + 'static>,
    F: Fn(S::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    /// Takes items until a task is full, the stream is pending or it has ended.
    fn gather(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let mut this = self.project();
        let room = this.chunks.room();
        while this.gathered.len() < room {
            let Some(items) = this.items.as_mut().as_pin_mut() else {
                return;
            };
            match items.poll_next(cx) {
                Poll::Ready(Some(item)) => this.gathered.push(item),
                Poll::Ready(None) => this.items.set(None),
                Poll::Pending => return,
            }
        }
    }

    /// Submits items until the window is full or there is nothing to submit now.
    fn fill(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        loop {
            self.as_mut().gather(cx);
            let this = self.as_mut().project();
            if this.gathered.is_empty() {
                return;
            }
            let gate: &'a Gate = this.pool.gate();
            let enter = this.enter.get_or_insert_with(|| gate.enter_async(1));
            let Poll::Ready(entered) = Pin::new(enter).poll(cx) else {
                return;
            };
            *this.enter = None;
            match entered {
                Ok(()) => {
                    let slot = Slot::at(gate);
                    this.chunks.submit(slot, std::mem::take(this.gathered));
                }
                // Refused. The tasks before must end first, or the order is lost.
                Err(_) if !this.chunks.has_no_task() => return,
                Err(_) => return this.chunks.run_here(std::mem::take(this.gathered)),
            }
        }
    }

    fn poll_result(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            let this = self.as_mut().project();
            if this.chunks.has_ready() {
                // The consumer may wait for a slot before it polls again, even after a panic. So
                // leave the line, or a slot granted here would be unused meanwhile.
                *this.enter = None;
                return Poll::Ready(this.chunks.next_ready());
            }
            self.as_mut().fill(cx);
            let this = self.as_mut().project();
            if this.chunks.has_no_task() {
                if this.chunks.len() > 0 {
                    continue;
                }
                let has_ended = this.items.is_none() && this.gathered.is_empty();
                return if has_ended {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                };
            }
            if this.chunks.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl<S, F, T> Stream for MapStream<'_, S, F, T>
where
    S: Stream<Item: Send + 'static>,
    F: Fn(S::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.chunks.is_over {
            return Poll::Ready(None);
        }
        let result = ready!(self.as_mut().poll_result(cx));
        let this = self.project();
        if this.chunks.end_after(result.as_ref()) {
            this.gathered.clear();
        }
        Poll::Ready(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let source = self.items.as_ref().map_or((0, Some(0)), Stream::size_hint);
        self.chunks.size_hint(self.gathered.len(), source)
    }
}

impl<S: Stream, F, T> fmt::Debug for MapStream<'_, S, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapStream")
            .field("taken", &(self.chunks.len() + self.gathered.len()))
            .field("ended", &self.chunks.is_over)
            .finish_non_exhaustive()
    }
}
