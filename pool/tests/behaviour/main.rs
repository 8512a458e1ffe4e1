//! What the pool promises, seen from outside. All these tests share a process, so that they link
//! once; a test that needs a process of its own is in `own_process`.

#[cfg(any(feature = "futures", feature = "hyper", feature = "tower"))]
mod adapters;
mod against_a_model;
mod ants_bugs;
mod ants_parity;
mod api;
mod blocked;
mod cancel;
mod context;
mod discard;
mod expiry;
mod foreign_wakers;
mod futures;
mod group_stops;
mod groups;
mod hooks;
mod in_place;
mod lanes;
mod late;
mod lifetimes;
mod map;
#[cfg(feature = "stream")]
mod map_stream;
#[cfg(feature = "metrics")]
mod metrics;
mod multi;
mod names;
mod panics;
mod reactors;
mod refused_threads;
mod reopen;
mod reservations;
mod results;
mod run;
mod sampling;
mod scopes;
mod shutdown;
mod strands;
mod submit;
mod subpools;
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod tune;
#[cfg(feature = "tuner")]
mod tuner;
mod weights;
#[cfg(feature = "tokio")]
mod with_tokio;
mod workers;
