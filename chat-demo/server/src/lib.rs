//! A chat server whose connections and fan-out run in an [`anthill`] pool.
//!
//! # Layout
//!
//! Each module uses only modules below it. The exception is `error`, which re-exports an error of
//! `journal`.
//!
//! - [`issue`]: makes tokens.
//! - [`server`]: start, accept, drain.
//! - `session`: one WebSocket connection, one future in one slot of the pool.
//! - `echo`: what stands in its place for conformance tests.
//! - `http`, `page`: requests, metrics, and the page.
//! - `events`, `api`: a room as a stream of events, and the HTTP API.
//! - `upgrade`, `origin`, `reply`: WebSocket upgrades, checks of the origin, and replies.
//! - `handlers`: the type byte picks a handler.
//! - `context`: a connection as its handlers see it.
//! - `node`: what all connections of a server share.
//! - `door`: sockets that are no connections yet, and which of them make room.
//! - `metrics`: what is shown of a server. Read from outside, it decides nothing.
//! - `tuning`: what moves the limits of the pools.
//! - `closures`: work that occupies the workers, for debugging.
//! - `pools`: the entrances to the workers.
//! - `queue_age`: how long tasks wait for a worker.
//! - `hub`, `room`, `directory`: all connections, and rooms by name.
//! - `bus`, `worker`: the link between servers that share rooms, and a call on a worker.
//! - `history`, `journal`: what was said in rooms lately, in memory and on disk.
//! - `epoch`: which numbering of a room a number belongs to.
//! - `guard`: what is done when the server is at its limit.
//! - `token`, [`sessions`]: authentication, and the users connected, with server and time.
//! - `rate`: how often one may publish.
//! - `connection`, `transport`, `stream`, `outbox`: the one bounded line of bytes to a client.
//! - `rights`, `tally`: the rooms that a user may join, and counters.
//! - [`error`], [`config`], [`tls`], [`secret`], `clock`: why things end, settings, and when.
//! - `machine`, `process`, `cgroup`: what the system says of itself, and of this process.

#![deny(clippy::print_stdout, clippy::print_stderr)]

// The rest of the crate uses the pool under this name.
#[cfg(feature = "on-tokio")]
extern crate pool_on_tokio as anthill;

pub mod config;
pub mod error;
pub mod issue;
pub mod secret;
pub mod server;
pub mod sessions;
pub mod tls;

mod api;
mod bus;
mod cgroup;
mod clock;
mod closures;
mod connection;
mod context;
mod directory;
mod door;
mod echo;
mod epoch;
mod events;
mod guard;
mod handlers;
mod history;
mod http;
mod hub;
mod journal;
mod machine;
mod metrics;
mod node;
mod origin;
mod outbox;
mod page;
mod pools;
mod process;
mod queue_age;
mod rate;
mod reply;
mod rights;
mod room;
mod session;
mod stream;
mod tally;
mod token;
mod transport;
mod tuning;
mod upgrade;
mod worker;
