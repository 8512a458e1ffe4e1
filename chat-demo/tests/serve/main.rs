//! The server as its clients meet it: over real sockets, on a free port.

mod bytes;
mod capacity;
mod conversation;
mod drain;
mod harness;
mod history;
mod http;
mod misbehaviour;
mod presence;
mod rates;
mod subprotocols;
