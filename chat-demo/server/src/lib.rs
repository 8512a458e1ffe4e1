//! A chat server whose connections and fan-out run in an [`anthill`] pool.
//!
//! # Layout
//!
//! Each module uses those below it, never those above.
//!
//! - [`issue`]: makes tokens.
//! - [`server`]: start, accept, drain.
//! - `session`: one WebSocket connection, one future in one slot of the pool.
//! - `door`: sockets that are no connections yet, and which of them make room.
//! - `echo`: what stands in its place for conformance tests.
//! - `api`, `events`: the HTTP API, and a room as a stream of events.
//! - `http`, `upgrade`, `origin`, `page`, `reply`: HTTP, the page, metrics, and WebSocket upgrades.
//! - `handlers`: the type byte picks a handler.
//! - `context`: a connection as its handlers see it.
//! - `node`: what all connections of a server share.
//! - `metrics`: what is shown of a server. Read from outside, it decides nothing.
//! - `tuning`: what moves the limits of the pools.
//! - `pools`, `worker`: the entrances to the workers, and a call on one.
//! - `closures`: work that occupies the workers, for debugging.
//! - `queue_age`: how long tasks wait for a worker.
//! - `hub`, `room`, `directory`: all connections, and rooms by name.
//! - `history`, `journal`: what was said in rooms lately, in memory and on disk.
//! - `epoch`: which numbering of a room a number belongs to.
//! - `bus`: what servers have between them that share rooms.
//! - `guard`: what is done when the server is at its limit.
//! - `rate`: how often one may publish.
//! - `tally`: counters.
//! - `token`, `rights`: authentication, and the rooms that a user may join.
//! - [`sessions`]: the users connected, with server and time.
//! - `transport`, `stream`, `connection`, `outbox`: the one bounded line of bytes to a client.
//! - [`config`], [`secret`], [`tls`], [`error`], `clock`: settings, why things end, and when.
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
