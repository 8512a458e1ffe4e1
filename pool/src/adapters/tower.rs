//! A layer for `tower`: requests run in the pool.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tower_layer::Layer;
use tower_service::Service;

use crate::errors::SlotError;
use crate::join::JoinHandle;
use crate::pool::Pool;
use crate::submit::Slot;

type BoxError = Box<dyn Error + Send + Sync>;

/// Runs the futures of a service in a pool. Needs the feature `tower`.
///
/// `poll_ready` reserves a slot, so the layer composes with others. A ready service keeps the slot
/// until it is called or dropped. A service that was not ready stays in line, and takes a slot even
/// if it is not polled again: do not keep such a service. Under `load_shed` a full pool refuses a
/// request at once. `timeout` limits the time from the slot to the response. Dropping a response
/// future cancels its request.
///
/// ```
/// use anthill::PoolLayer;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let pool = anthill::Pool::builder().capacity(100).build()?;
/// let service = ServiceBuilder::new()
///     .load_shed()
///     .layer(PoolLayer::new(&pool))
///     .service(service_fn(async |n: u32| Ok::<_, std::io::Error>(n + 1)));
/// assert_eq!(service.oneshot(41).await?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PoolLayer(Pool);

impl PoolLayer {
    /// Returns a layer that runs requests in this pool or subpool.
    ///
    /// ```
    /// use anthill::PoolLayer;
    ///
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let requests = pool.subpool().capacity(100).build()?;
    /// let layer = PoolLayer::new(&requests);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(pool: &Pool) -> Self {
        Self(pool.clone())
    }
}

impl<S> Layer<S> for PoolLayer {
    type Service = PoolService<S>;

    fn layer(&self, inner: S) -> PoolService<S> {
        PoolService {
            inner,
            pool: self.0.clone(),
            slot: Reserved::None,
        }
    }
}

/// A service whose futures run in a pool, from [`PoolLayer`].
pub struct PoolService<S> {
    inner: S,
    pool: Pool,
    slot: Reserved,
}

/// The slot for the next request.
enum Reserved {
    None,
    Waits(Pin<Box<dyn Future<Output = Result<Slot<'static>, SlotError>> + Send>>),
    Held(Slot<'static>),
}

impl<S> PoolService<S> {
    fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SlotError>> {
        if let Reserved::None = self.slot {
            self.slot = if let Some(slot) = Slot::if_free(self.pool.gate()) {
                Reserved::Held(slot.into_owned())
            } else {
                let pool = self.pool.clone();
                let slot = async move { pool.slot().await.map(Slot::into_owned) };
                Reserved::Waits(Box::pin(slot))
            };
        }
        if let Reserved::Waits(slot) = &mut self.slot {
            let slot = ready!(slot.as_mut().poll(cx));
            self.slot = Reserved::None;
            self.slot = Reserved::Held(slot?);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, R> Service<R> for PoolService<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = PoolResponse<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.inner.poll_ready(cx)).map_err(Into::into)?;
        self.poll_slot(cx).map_err(Into::into)
    }

    /// Runs a request in the reserved slot.
    ///
    /// # Panics
    ///
    /// Panics unless `poll_ready` has returned `Ready(Ok(()))` since the previous call.
    fn call(&mut self, request: R) -> Self::Future {
        let Reserved::Held(slot) = std::mem::replace(&mut self.slot, Reserved::None) else {
            panic!("`call` without a `poll_ready` that was ready");
        };
        let handle = slot.spawn_with_handle(self.inner.call(request));
        PoolResponse(handle.cancel_on_drop())
    }
}

impl<S: Clone> Clone for PoolService<S> {
    /// Returns a service without a reserved slot.
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            pool: self.pool.clone(),
            slot: Reserved::None,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for PoolService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolService")
            .field("inner", &self.inner)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// The response of a request that runs in a pool. Dropping it cancels the request.
pub struct PoolResponse<T, E>(JoinHandle<Result<T, E>>);

impl<T, E: Into<BoxError>> Future for PoolResponse<T, E> {
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(result) => Poll::Ready(result.map_err(Into::into)),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl<T, E> fmt::Debug for PoolResponse<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolResponse").field(&self.0).finish()
    }
}
