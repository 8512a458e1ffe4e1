//! What must hold where Go's pool `ants` once did not, or does not. The numbers are those of its issues; "seen in ants"
//! means v2.11.4. What a model of `loom-tests` or another test sees to already is not here again; the guide for those who
//! come from ants lists all.

mod leftovers;
mod limits;
mod running;
mod waking;
