//! Workers, and what they run next.

mod activity;
mod backlog;
mod cap;
mod context;
mod entrance;
mod future;
mod gate;
mod held;
mod idle;
mod lane;
mod options;
mod priority;
mod queues;
mod scheduler;
mod seat;
mod settings;
mod sweep;
pub(crate) mod worker;
pub(crate) mod worker_thread;

pub(crate) use backlog::{Backlog, Entry};
pub(crate) use context::{Capture, Context};
pub(crate) use entrance::{Entrance, Patience};
pub(crate) use future::{Runnable, spawn};
pub(crate) use gate::{Enter, Gate};
pub(crate) use held::HeldSlot;
pub(crate) use options::{Expiring, ExpiringFuture, Options, Worn};
pub use priority::Priority;
pub(crate) use scheduler::{ClosureTurn, OnClose, Scheduler, run};
pub(crate) use seat::Seat;
pub(crate) use settings::{Around, Hooks, PanicHandler, Settings, check_threads};
pub(crate) use worker_thread::MakeLocal;
