//! The kinds of pool that ants has, made of ours. All run one function with a number; they differ in what is submitted.

use std::any::Any;
use std::sync::Arc;

use anthill::{FnPool, Pool, SubmitError};

use crate::support::yield_now;

pub(crate) trait Kind: Clone + Send + Sync + 'static {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self;

    fn pool(&self) -> &Pool;

    /// As patient as `Pool::submit`.
    fn submit(&self, argument: u64) -> Result<(), SubmitError<()>>;
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

    fn submit(&self, argument: u64) -> Result<(), SubmitError<()>> {
        let function = Arc::clone(&self.1);
        if FUTURES {
            let future = async move {
                yield_now().await;
                function(argument);
            };
            self.0.spawn(future).map_err(SubmitError::without_task)
        } else {
            let submitted = self.0.submit(move || function(argument));
            submitted.map_err(SubmitError::without_task)
        }
    }
}

/// ants' `PoolWithFunc`: arguments of any type.
#[derive(Clone)]
pub(crate) struct Anything(FnPool<Box<dyn Any + Send>>);

impl Kind for Anything {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self {
        let called = move |argument: Box<dyn Any + Send>| function(*argument.downcast().unwrap());
        Self(FnPool::new(pool, called))
    }

    fn pool(&self) -> &Pool {
        self.0.pool()
    }

    fn submit(&self, argument: u64) -> Result<(), SubmitError<()>> {
        let submitted = self.0.submit(Box::new(argument));
        submitted.map_err(|refused| {
            // Go gives an error alone; here the argument comes back.
            let told = refused_as(&refused);
            assert_eq!(*refused.into_task().downcast::<u64>().unwrap(), argument);
            told
        })
    }
}

/// ants' `PoolWithFuncGeneric[T]`: arguments of one type.
#[derive(Clone)]
pub(crate) struct Typed(FnPool<u64>);

impl Kind for Typed {
    fn over(pool: Pool, function: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(FnPool::new(pool, function))
    }

    fn pool(&self) -> &Pool {
        self.0.pool()
    }

    fn submit(&self, argument: u64) -> Result<(), SubmitError<()>> {
        self.0.submit(argument).map_err(|refused| {
            let told = refused_as(&refused);
            assert_eq!(refused.into_task(), argument);
            told
        })
    }
}

fn refused_as<T>(refused: &SubmitError<T>) -> SubmitError<()> {
    match refused {
        SubmitError::Full(_) => SubmitError::Full(()),
        SubmitError::Closed(_) => SubmitError::Closed(()),
        SubmitError::Timeout(_) => SubmitError::Timeout(()),
        SubmitError::WouldDeadlock(_) => SubmitError::WouldDeadlock(()),
        other => panic!("a refusal that these tests do not know: {other}"),
    }
}
