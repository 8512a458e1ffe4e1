//! Bugs that Go's pool `ants` had or has. The numbers are issues of ants; "seen in ants" means
//! v2.11.4. Bugs that a model of `loom-tests` or another test covers are not repeated here. The
//! guide from ants lists all of them.

mod leftovers;
mod limits;
mod running;
mod waking;
