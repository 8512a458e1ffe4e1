//! A job of any type. Rare paths take it in a box, so that the compiler generates their code once
//! and not for each closure.

use crate::task::end::{End, Job, Turn};

/// [`Job`], for trait objects.
pub trait AnyJob: Send {
    fn run(self: Box<Self>, turn: &dyn Turn) -> End;
    fn discard(self: Box<Self>, turn: &dyn Turn) -> End;
    fn is_spent(&mut self) -> bool;
}

impl<J: Job> AnyJob for J {
    fn run(self: Box<Self>, turn: &dyn Turn) -> End {
        (*self).run(&turn)
    }

    fn discard(self: Box<Self>, turn: &dyn Turn) -> End {
        (*self).discard(&turn)
    }

    fn is_spent(&mut self) -> bool {
        Job::is_spent(self)
    }
}

impl Turn for &dyn Turn {
    fn begin(&self) {
        (**self).begin();
    }

    fn end(&self, end: &End) {
        (**self).end(end);
    }
}

/// A job of any type, with its [`Job::ENDS_TURN`].
pub struct DynJob<const ENDS_TURN: bool>(pub Box<dyn AnyJob>);

impl<const ENDS_TURN: bool> Job for DynJob<ENDS_TURN> {
    const ENDS_TURN: bool = ENDS_TURN;

    fn run(self, turn: &impl Turn) -> End {
        self.0.run(turn)
    }

    fn discard(self, turn: &impl Turn) -> End {
        self.0.discard(turn)
    }

    fn is_spent(&mut self) -> bool {
        self.0.is_spent()
    }
}
