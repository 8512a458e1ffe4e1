//! The clients over real sockets, against a real server, through a proxy that can cut the line.

mod harness;
mod peer;
mod plain;
mod proxy;
mod publishing;
mod recovery;
mod returning;
