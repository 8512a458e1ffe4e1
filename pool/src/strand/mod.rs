//! Tasks one at a time and in order.

mod handle;
mod keyed;

pub use handle::Strand;
pub use keyed::Strands;
