//! Tasks that capture much are boxed early. Without optimisation each function that a task passes through copies it to the
//! stack, and a stack that is enough for `std::thread::spawn` would overflow.

use crate::end::{End, Job, Turn};

/// The size from which a task is boxed, in bytes. tokio's `BOX_FUTURE_THRESHOLD` without optimisation.
const LARGE: usize = 2048;

/// Whether tasks of this type are to be boxed.
pub(crate) const fn is_large<T>() -> bool {
    size_of::<T>() > LARGE
}

/// A job, or a large one in a box.
pub(crate) enum Either<S, L> {
    Small(S),
    Large(L),
}

impl<S: Job, L: Job> Job for Either<S, L> {
    const ENDS_TURN: bool = {
        assert!(S::ENDS_TURN == L::ENDS_TURN);
        S::ENDS_TURN
    };

    fn run(self, turn: &impl Turn) -> End {
        match self {
            Self::Small(job) => job.run(turn),
            Self::Large(job) => job.run(turn),
        }
    }

    fn discard(self, turn: &impl Turn) -> End {
        match self {
            Self::Small(job) => job.discard(turn),
            Self::Large(job) => job.discard(turn),
        }
    }

    fn is_spent(&mut self) -> bool {
        match self {
            Self::Small(job) => job.is_spent(),
            Self::Large(job) => job.is_spent(),
        }
    }
}

/// A large job.
pub(crate) struct Boxed<J>(pub(crate) Box<J>);

impl<J: Job> Job for Boxed<J> {
    const ENDS_TURN: bool = J::ENDS_TURN;

    fn run(self, turn: &impl Turn) -> End {
        (*self.0).run(turn)
    }

    fn discard(self, turn: &impl Turn) -> End {
        (*self.0).discard(turn)
    }

    fn is_spent(&mut self) -> bool {
        self.0.is_spent()
    }
}
