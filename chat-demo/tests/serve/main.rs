//! The server as its clients meet it: over real sockets, on a free port.

mod bytes;
mod capacity;
mod closures;
mod conversation;
mod data;
mod drain;
mod echo;
mod exposition;
mod handshakes;
mod harness;
mod history;
mod http;
mod logs;
mod metrics;
mod misbehaviour;
mod overload;
mod page;
mod presence;
mod process;
mod rates;
mod secrets;
mod sessions;
mod streams;
mod subprotocols;
mod tls;
mod tokens;
