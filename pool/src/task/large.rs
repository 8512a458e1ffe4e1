//! Boxes tasks with large captures early. Without optimization, each function that passes a task on
//! copies it to the stack. Without the box, a stack that suffices for `std::thread::spawn` would
//! overflow.

use crate::task::end::{End, Job, Turn};

/// The largest size in bytes of a task that is not boxed. tokio's `BOX_FUTURE_THRESHOLD` without
/// optimization.
const LARGE: usize = 2048;

/// Returns whether to box tasks of this type.
pub const fn is_large<T>() -> bool {
    size_of::<T>() > LARGE
}

/// A job, or a large job in a box.
pub enum Either<S, L> {
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
pub struct Boxed<J>(pub Box<J>);

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
