//! The kinds of pool that ants has, made of ours. All run one function with a number; they differ in what is submitted.

use std::any::Any;
use std::sync::Arc;

use anthill::{Pool, SlotError};

use crate::support::yield_now;

pub(crate) trait Kind: Clone + Send + Sync + 'static {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self;

    fn pool(&self) -> &Pool;

    /// As patient as `Pool::submit`.
    fn submit(&self, argument: u64) -> Result<(), SlotError>;
}

type Function = Arc<dyn Fn(u64) + Send + Sync>;

/// ants' `Pool`: closures, or futures, which give their worker away once.
#[derive(Clone)]
pub(crate) struct Bare<const FUTURES: bool>(Pool, Function);

pub(crate) type Closures = Bare<false>;
pub(crate) type Futures = Bare<true>;

impl<const FUTURES: bool> Kind for Bare<FUTURES> {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(pool, Arc::new(function))
    }

    fn pool(&self) -> &Pool {
        &self.0
    }

    fn submit(&self, argument: u64) -> Result<(), SlotError> {
        let function = Arc::clone(&self.1);
        if FUTURES {
            let future = async move {
                yield_now().await;
                function(argument);
            };
            self.0.spawn(future)
        } else {
            self.0.submit(move || function(argument))
        }
    }
}

/// ants' `PoolWithFunc`: arguments of any type.
#[derive(Clone)]
pub(crate) struct Anything(Pool, Arc<dyn Fn(Box<dyn Any + Send>) + Send + Sync>);

impl Kind for Anything {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self {
        let called = move |argument: Box<dyn Any + Send>| function(*argument.downcast().unwrap());
        Self(pool, Arc::new(called))
    }

    fn pool(&self) -> &Pool {
        &self.0
    }

    fn submit(&self, argument: u64) -> Result<(), SlotError> {
        let (function, argument) = (Arc::clone(&self.1), Box::new(argument));
        self.0.submit(move || function(argument))
    }
}

/// ants' `PoolWithFuncGeneric[T]`: arguments of one type, which the submitter keeps if the pool
/// refuses.
#[derive(Clone)]
pub(crate) struct Typed(Pool, Function);

impl Kind for Typed {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(pool, Arc::new(function))
    }

    fn pool(&self) -> &Pool {
        &self.0
    }

    fn submit(&self, argument: u64) -> Result<(), SlotError> {
        let slot = self.0.slot().wait()?;
        let function = Arc::clone(&self.1);
        slot.submit(move || function(argument));
        Ok(())
    }
}
